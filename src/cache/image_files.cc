#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>

#include "base/check.h"
#include "base/fault_point.h"
#include "base/io.h"
#include "base/limits.h"
#include "base/log.h"
#include "cache/state.h"
#include "model/chunk.h"

namespace weir::cache {

namespace {

Result<uint64_t> disk_bytes_of(int fd) {
  struct stat attributes {};
  if (::fstat(fd, &attributes) != 0) return errno_error(errno, "fstat of an image");
  return static_cast<uint64_t>(attributes.st_blocks) * 512;
}

std::vector<IndexedChunk> all_chunks(const Manifest& manifest) {
  std::vector<IndexedChunk> chunks;
  for (size_t i = 0; i < manifest.chunks.size(); ++i)
    if (!manifest.chunks[i].is_zero()) chunks.emplace_back(static_cast<uint32_t>(i), manifest.chunks[i]);
  return chunks;
}

}  // namespace

Result<std::shared_ptr<Image>> Cache::State::open_image(const ManifestId& id,
                                                        const std::shared_ptr<const Manifest>& manifest) {
  if (std::shared_ptr<Image> held = images.held(id)) return held;
  MutexLock lock(locks.of(id.bytes()));
  return open_locked(id, manifest);
}

Result<std::shared_ptr<Image>> Cache::State::open_locked(const ManifestId& id,
                                                         const std::shared_ptr<const Manifest>& manifest) {
  if (std::shared_ptr<Image> held = held_locked(id)) return held;
  std::optional<ImageEntry> entry = images.find(id);
  if (!entry) return create_locked(id, manifest);
  ASSIGN_OR_RETURN(ImageFile file, open_file(id, entry->final));
  if (!file.fd.valid()) {
    // Somebody removed the file behind our back; for what is stored that is no loss.
    if (entry->unstored) log::error("image {} is gone from the disk, and some of it is not stored", id.hex());
    forget_locked(id);
    return create_locked(id, manifest);
  }
  if (file.final) return open_final_locked(id, manifest, std::move(file.fd));
  return open_partial_locked(id, manifest, std::move(file.fd));
}

Result<std::shared_ptr<Image>> Cache::State::open_final_locked(const ManifestId& id,
                                                               const std::shared_ptr<const Manifest>& manifest,
                                                               FileDescriptor fd) {
  ASSIGN_OR_RETURN(uint64_t size, io::file_size(fd.get()));
  if (size != manifest->size) {
    log::error("image {} has {} bytes instead of {}; it is dropped", id.hex(), size, manifest->size);
    TRY(evict_locked(id));
    return create_locked(id, manifest);
  }
  ImageEntry entry = *images.find(id);
  if (!entry.final || !entry.registered) {
    std::vector<IndexedChunk> chunks = all_chunks(*manifest);
    entry.final = entry.registered = true;
    entry.present_chunks = static_cast<uint32_t>(chunks.size());
    TRY(index->save(id, entry.row(boot), chunks));
    images.put(id, entry);
  }
  auto* image = new Image(*cache, id, manifest, std::move(fd));
  image->set_complete();
  return share_locked(image);
}

Result<std::shared_ptr<Image>> Cache::State::open_partial_locked(const ManifestId& id,
                                                                 const std::shared_ptr<const Manifest>& manifest,
                                                                 FileDescriptor fd) {
  // A power loss may have taken the size, which holes at the end need.
  ASSIGN_OR_RETURN(uint64_t size, io::file_size(fd.get()));
  if (size != manifest->size && ::ftruncate(fd.get(), static_cast<off_t>(manifest->size)) != 0)
    return errno_error(errno, fmt::format("give {} its size", layout.partial_image(id)));
  ASSIGN_OR_RETURN(std::optional<ImageRow> row, index->find(id));
  if (!row) row.emplace();
  if (row->boot != boot) {
    // What a power loss left of these chunks is known only when somebody has compared them with their ids.
    row->unverified.resize(row->present.size());
    for (size_t i = 0; i < row->present.size(); ++i) row->unverified[i] = row->unverified[i] || row->present[i];
    row->present.clear();
  }
  auto* image = new Image(*cache, id, manifest, std::move(fd));
  image->set_present(row->present, std::move(row->unverified));
  const size_t holes = static_cast<size_t>(std::count(manifest->chunks.begin(), manifest->chunks.end(), ChunkId()));
  images.update(id, [&](ImageEntry& entry) {
    entry.present_chunks = static_cast<uint32_t>(manifest->chunks.size() - holes - image->missing_chunks());
  });
  return share_locked(image);
}

Result<std::shared_ptr<Image>> Cache::State::create_locked(const ManifestId& id,
                                                           const std::shared_ptr<const Manifest>& manifest) {
  ImageEntry entry;
  entry.size = manifest->size;
  // The index first: a file that it does not know would stay for ever.
  TRY(index->save(id, entry.row(boot), {}));
  const std::string path = layout.partial_image(id);
  ASSIGN_OR_RETURN(FileDescriptor fd, io::open_file(path, O_RDWR | O_CREAT | O_TRUNC));
  if (::ftruncate(fd.get(), static_cast<off_t>(manifest->size)) != 0)
    return errno_error(errno, fmt::format("give {} its size", path));
  images.put(id, entry);
  const std::vector<IndexedChunk> nothing;
  bool only_holes = all_chunks(*manifest).empty();
  if (only_holes) TRY(finalize_locked(id, fd.get(), nothing));
  auto* image = new Image(*cache, id, manifest, std::move(fd));
  image->set_present({}, {});
  return share_locked(image);
}

Result<Cache::State::ImageFile> Cache::State::open_file(const ManifestId& id, bool final_expected) {
  for (bool final : {final_expected, !final_expected}) {
    auto fd = io::open_file(layout.image(id, final), final ? O_RDONLY : O_RDWR);
    if (fd) return ImageFile{std::move(*fd), final};
    if (fd.error().code != Code::kNotFound) return Failure(fd.error());
  }
  return ImageFile();
}

std::shared_ptr<Image> Cache::State::share_locked(Image* image) {
  std::shared_ptr<Image> shared(image, [this](Image* last) { release(last); });
  const int64_t now_ns = clock.realtime_ns();
  bool there = images.update(image->id(), [&](ImageEntry& entry) {
    if (!entry.open) entry.open = std::make_shared<ImageEntry::Open>();
    entry.open->image = image;
    entry.open->weak = shared;
    ++entry.open->owners;
    const bool another_use = now_ns - entry.last_used_ns >= limits::kCacheOneUseMs * 1'000'000;
    if ((entry.uses == 0 || another_use) && entry.uses < UINT8_MAX) ++entry.uses;
    entry.last_used_ns = now_ns;
    entry.uses_changed = true;
  });
  CHECK(there);
  return shared;
}

std::shared_ptr<Image> Cache::State::held_locked(const ManifestId& id) {
  std::optional<ImageEntry> entry = images.find(id);
  if (!entry || !entry->open) return nullptr;
  if (std::shared_ptr<Image> held = entry->open->weak.lock()) return held;
  // Its last owner let go, and waits in release() for the lock that we hold.
  return share_locked(entry->open->image);
}

void Cache::State::release(Image* image) {
  const ManifestId id = image->id();
  std::unique_ptr<Image> last;
  {
    MutexLock lock(locks.of(id.bytes()));
    if (image->taken_owners_) {
      if (--image->taken_owners_->owners == 0) last.reset(image);
      return;
    }
    bool there = images.update(id, [&](ImageEntry& entry) {
      if (--entry.open->owners == 0) last.reset(image);
    });
    CHECK(there);
    if (!last) return;
    const ImageEntry entry = *images.find(id);
    Status saved;
    if (image->lost_ || (!entry.final && !entry.unstored && image->is_empty()))
      saved = evict_locked(id);
    else
      saved = save_locked(*image);
    if (!saved) index_lacks(id, saved.error());
    images.update(id, [&](ImageEntry& changed) {
      changed.open.reset();
      changed.last_used_ns = clock.realtime_ns();
      changed.uses_changed = true;
    });
  }
  evictable();
}

Status Cache::State::save_image(Image& image) {
  MutexLock lock(locks.of(image.id().bytes()));
  return save_locked(image);
}

Status Cache::State::save_locked(Image& image, bool always) {
  std::optional<ImageEntry> entry = images.find(image.id());
  if (!entry) return {};
  ImageRow row = entry->row(boot);
  std::vector<IndexedChunk> chunks;
  {
    MutexLock lock(image.mutex_);
    if (image.unsaved_.empty() && !always) return {};
    for (uint32_t i : image.unsaved_) chunks.emplace_back(i, image.manifest().chunks[i]);
    if (!entry->final) row.present = image.present_;
    if (!entry->final) row.unverified = image.unverified_;
    image.unsaved_.clear();
  }
  for (size_t i = 0; i < row.unverified.size(); ++i)
    if (row.present[i]) row.unverified[i] = false;
  Status saved = index->save(image.id(), row, chunks);
  if (saved) return saved;
  MutexLock lock(image.mutex_);
  for (const auto& [number, chunk] : chunks) image.unsaved_.push_back(number);
  return saved;
}

Status Cache::State::finish(Image& image) {
  Status synced = io::sync_data(image.fd(), layout.partial_image(image.id()));
  MutexLock lock(locks.of(image.id().bytes()));
  std::optional<ImageEntry> entry = images.find(image.id());
  if (!entry || entry->final) return synced;
  if (!synced) {
    // The kernel reports lost pages once; nobody could trust this file later.
    if (!entry->unstored) image.lost_ = true;
    return synced;
  }
  std::vector<IndexedChunk> chunks;
  {
    MutexLock filling(image.mutex_);
    for (uint32_t i : image.unsaved_) chunks.emplace_back(i, image.manifest().chunks[i]);
    image.unsaved_.clear();
  }
  return finalize_locked(image.id(), image.fd(), chunks);
}

Status Cache::State::finalize_locked(const ManifestId& id, int fd, const std::vector<IndexedChunk>& chunks) {
  ASSIGN_OR_RETURN(uint64_t disk_bytes, disk_bytes_of(fd));
  const std::string part = layout.partial_image(id);
  const std::string final = layout.final_image(id);
  FAULT_POINT("fill.finish.before");
  if (::rename(part.c_str(), final.c_str()) != 0) return errno_error(errno, fmt::format("rename {}", part));
  FAULT_POINT("fill.finish.after");
  ImageRow row;
  images.update(id, [&](ImageEntry& entry) {
    entry.final = entry.registered = true;
    entry.disk_bytes = disk_bytes;
    row = entry.row(boot);
  });
  return index->save(id, row, chunks);
}

void Cache::State::forget_locked(const ManifestId& id) {
  // A row that stays is found to have no file by who opens the image in a later life, or evicts it.
  if (Status erased = index->erase(id); !erased)
    log::warning("the cache's index still has image {}, which is gone: {}", id.hex(), erased.error().what);
  images.erase(id);
}

bool Cache::State::is_mapped_locked(const ManifestId& id, const ImageEntry& entry) {
  if (entry.shown_to == InodeId()) return false;
  Result<ImageFile> file = open_file(id, entry.final);
  return file && file->fd.valid() && !io::is_only_user(file->fd.get());
}

Status Cache::State::evict_locked(const ManifestId& id) {
  // The file first: without its entry nobody would ever remove it.
  FAULT_POINT("evict.image.before");
  TRY(io::remove_file(layout.final_image(id)));
  TRY(io::remove_file(layout.partial_image(id)));
  FAULT_POINT("evict.image.after");
  forget_locked(id);
  return {};
}

void Cache::State::index_lacks(const ManifestId& id, const Error& failed) {
  log::warning("image {} is not up to date in the cache's index: {}", id.hex(), failed.what);
  MutexLock lock(unindexed_mutex);
  unindexed.insert(id);
}

Result<bool> Cache::State::read_unindexed(const ChunkId& id, std::span<char> buffer) {
  std::set<ManifestId> candidates;
  {
    MutexLock lock(unindexed_mutex);
    candidates = unindexed;
  }
  for (const ManifestId& candidate : candidates) {
    ASSIGN_OR_RETURN(std::optional<Journal::ImageRecord> record, journal->find_image(candidate));
    if (!record) continue;  // all of it is stored by now
    for (const auto& [number, chunk] : record->row.chunks) {
      if (chunk != id) continue;
      ASSIGN_OR_RETURN(ImageFile file, open_file(candidate, false));
      if (!file.fd.valid()) continue;
      ASSIGN_OR_RETURN(size_t got, io::read_at(file.fd.get(), buffer.data(), buffer.size(), chunk_offset(number)));
      if (got == buffer.size()) return true;
    }
  }
  return false;
}

Result<bool> Cache::State::may_be_there(const ChunkPlace& place, const ImageEntry& entry, bool verified) {
  if (entry.final) return verified;
  ASSIGN_OR_RETURN(std::optional<ImageRow> row, index->find(place.image));
  auto set = [&](const std::vector<bool>& bits) { return place.index < bits.size() && bits[place.index]; };
  const bool present = row && set(row->present);
  const bool known = present && row->boot == boot;
  return verified ? known : !known && row && (present || set(row->unverified));
}

Result<FileDescriptor> Cache::State::open_place(const ChunkPlace& place, const ChunkId& chunk) {
  if (std::shared_ptr<Image> held = images.held(place.image)) {
    const Manifest& manifest = held->manifest();
    const bool there = place.index < manifest.chunks.size() && manifest.chunks[place.index] == chunk &&
                       held->has(place.index) && !held->taken();
    if (!there) return FileDescriptor();
    FileDescriptor copy(::fcntl(held->fd(), F_DUPFD_CLOEXEC, 0));
    if (!copy.valid()) return errno_error(errno, fmt::format("open image {} again", place.image.hex()));
    return copy;
  }
  std::optional<ImageEntry> entry = images.find(place.image);
  if (!entry || place.index >= chunk_count(entry->size)) return FileDescriptor();
  ASSIGN_OR_RETURN(bool there, may_be_there(place, *entry, true));
  if (!there) return FileDescriptor();
  ASSIGN_OR_RETURN(ImageFile file, open_file(place.image, entry->final));
  return std::move(file.fd);
}

Result<bool> Cache::State::read_place(const ChunkPlace& place, const ChunkId& chunk, bool verified,
                                      std::span<char> buffer) {
  if (std::shared_ptr<Image> held = images.held(place.image)) {
    const Manifest& manifest = held->manifest();
    if (place.index >= manifest.chunks.size() || manifest.chunks[place.index] != chunk) return false;
    if (!verified) return held->read_unverified(place.index, buffer);
    if (!held->has(place.index)) return false;
    Status read = held->read(chunk_offset(place.index), buffer);
    if (!read && read.error().code == Code::kStale) return false;
    TRY(read);
    return true;
  }
  std::optional<ImageEntry> entry = images.find(place.image);
  if (!entry || place.index >= chunk_count(entry->size)) return false;
  ASSIGN_OR_RETURN(bool there, may_be_there(place, *entry, verified));
  if (!there) return false;
  ASSIGN_OR_RETURN(ImageFile file, open_file(place.image, entry->final));
  if (!file.fd.valid()) return false;
  ASSIGN_OR_RETURN(size_t got, io::read_at(file.fd.get(), buffer.data(), buffer.size(), chunk_offset(place.index)));
  return got == buffer.size();
}

}  // namespace weir::cache
