#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>

#include "base/check.h"
#include "base/fault_point.h"
#include "base/io.h"
#include "cache/state.h"
#include "model/chunk.h"

namespace weir::cache {

namespace {

uint64_t bytes_of(const UnstoredImage& row) {
  uint64_t bytes = 0;
  for (const auto& [index, id] : row.chunks) bytes += chunk_length(row.size, index);
  return bytes;
}

}  // namespace

Result<std::unique_ptr<Staging>> Cache::State::begin_take_over(Image& image) {
  CHECK(image.complete());
  const ManifestId& id = image.id();
  MutexLock lock(locks.of(id.bytes()));
  std::optional<ImageEntry> entry = images.find(id);
  if (!entry || image.taken()) return error(Code::kStale, "image {} was taken by somebody else", id.hex());
  const std::string path = layout.image(id, entry->final);
  const uint64_t staging_id = next_staging_id++;
  std::string staging_path = layout.staging(staging_id);
  ASSIGN_OR_RETURN(FileDescriptor fd, io::open_file(path, O_RDWR));
  if (::link(path.c_str(), staging_path.c_str()) != 0) return errno_error(errno, fmt::format("link {}", staging_path));
  return std::unique_ptr<Staging>(new Staging(*cache, staging_id, std::move(staging_path), std::move(fd)));
}

Status Cache::State::finish_take_over(Image& image) {
  const ManifestId& id = image.id();
  ASSIGN_OR_RETURN(std::optional<Journal::ImageRecord> unstored, journal->find_image(id));
  // Before the lock; making room takes such locks.
  if (unstored) TRY(space->admit(bytes_of(unstored->row)));

  MutexLock lock(locks.of(id.bytes()));
  std::optional<ImageEntry> entry = images.find(id);
  if (!entry || image.taken()) return error(Code::kStale, "image {} was taken by somebody else", id.hex());
  ASSIGN_OR_RETURN(unstored, journal->find_image(id));
  FAULT_POINT("take.image.before");
  if (unstored) {
    TRY(keep_unstored_locked(image, *unstored));
  } else {
    TRY(evict_locked(id));
  }
  image.taken_owners_ = entry->open;
  image.taken_.store(true, std::memory_order_release);
  FAULT_POINT("take.image.after");
  return {};
}

/// The chunks of `record` become an image of their own, in the place of `image`. A crash at any point leaves one of the
/// two under the name that the journal speaks of, or a staging file that becomes it.
Status Cache::State::keep_unstored_locked(const Image& image, const Journal::ImageRecord& record) {
  const ManifestId& id = image.id();
  ImageEntry entry = *images.find(id);
  UnstoredImage row = record.row;
  row.whole = false;
  row.staging_id = next_staging_id++;
  const std::string copy = layout.staging(row.staging_id);
  const std::string target = layout.partial_image(id);
  ASSIGN_OR_RETURN(FileDescriptor fd, io::open_file(copy, O_RDWR | O_CREAT | O_EXCL));
  auto put_in_place = [&]() -> Status {
    if (::ftruncate(fd.get(), static_cast<off_t>(row.size)) != 0)
      return errno_error(errno, fmt::format("give {} its size", copy));
    for (const auto& [number, chunk] : row.chunks) TRY(copy_chunk(image.fd(), fd.get(), row.size, number));
    TRY(io::sync_data(fd.get(), copy));
    TRY(journal->rewrite_image(record, row));
    if (::rename(copy.c_str(), target.c_str()) == 0) return {};
    auto failed = errno_error(errno, fmt::format("rename {} to {}", copy, target));
    TRY(journal->rewrite_image({record.sequence, row}, record.row));
    return failed;
  };
  if (Status placed = put_in_place(); !placed) {
    TRY(io::remove_file(copy));
    return placed;
  }
  if (entry.final) TRY(io::remove_file(layout.final_image(id)));

  struct stat attributes {};
  if (::fstat(fd.get(), &attributes) != 0) return errno_error(errno, fmt::format("look at {}", target));
  ImageRow indexed;
  indexed.registered = entry.registered;
  indexed.uses = entry.uses;
  indexed.size = row.size;
  indexed.disk_bytes = static_cast<uint64_t>(attributes.st_blocks) * 512;
  indexed.last_used_ns = entry.last_used_ns;
  indexed.present_chunks = static_cast<uint32_t>(row.chunks.size());
  indexed.boot = boot;
  indexed.present.assign(chunk_count(row.size), false);
  for (const auto& [number, chunk] : row.chunks) indexed.present[number] = true;
  // The copy is in its place, whatever the index knows.
  if (Status saved = index->save(id, indexed, row.chunks); !saved) index_lacks(id, saved.error());
  ImageEntry placed = ImageEntry::of(indexed);
  placed.unstored = true;
  images.put(id, placed);
  return {};
}

Status Cache::State::give_back(std::unique_ptr<Staging>& staging, const Manifest& manifest, InodeId inode) {
  const ManifestId id = manifest.id();
  TRY(staging->truncate(manifest.size));
  TRY(io::sync_data(staging->fd(), staging->path_));
  std::vector<IndexedChunk> chunks;
  for (size_t i = 0; i < manifest.chunks.size(); ++i)
    if (!manifest.chunks[i].is_zero()) chunks.emplace_back(static_cast<uint32_t>(i), manifest.chunks[i]);

  MutexLock lock(locks.of(id.bytes()));
  ImageEntry entry = images.find(id).value_or(ImageEntry());
  if (entry.final || entry.open) {
    if (!io::is_only_user(staging->fd())) return error(Code::kBusy, "image {} and a copy are both in use", id.hex());
    staging.reset();
    return {};
  }
  const std::string target = layout.partial_image(id);
  // The index first: a file that it does not know would stay for ever.
  if (!images.find(id)) TRY(index->save(id, ImageRow{.size = manifest.size, .boot = boot}, {}));
  if (::rename(staging->path_.c_str(), target.c_str()) != 0)
    return errno_error(errno, fmt::format("rename {} to {}", staging->path_, target));
  if (staging->has_record()) TRY(journal->erase_staging(staging->id_));
  const FileDescriptor fd = std::move(staging->fd_);
  entry.size = manifest.size;
  entry.present_chunks = static_cast<uint32_t>(chunks.size());
  entry.uses = std::max<uint8_t>(entry.uses, 1);
  entry.last_used_ns = clock.realtime_ns();
  entry.shown_to = inode;
  images.put(id, entry);
  staging.reset();
  return finalize_locked(id, fd.get(), chunks);
}

}  // namespace weir::cache
