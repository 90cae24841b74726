#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <map>

#include "base/check.h"
#include "base/fault_point.h"
#include "base/io.h"
#include "base/limits.h"
#include "base/log.h"
#include "cache/state.h"
#include "model/chunk.h"

namespace weir::cache {

struct Cache::State::Sealing {
  std::unique_ptr<Staging>& staging;
  std::shared_ptr<const Manifest> manifest;
  const std::vector<bool>& own;
  UnstoredImage row;               // what the journal shall say
  std::optional<StagingRow> kept;  // and this, in place of the staging file's record
  std::optional<Journal::ImageRecord> old;
};

namespace {

UnstoredImage row_for(const Manifest& manifest, const std::vector<bool>& own, int64_t now_ns) {
  UnstoredImage row{.id = manifest.id(), .size = manifest.size, .whole = true, .since_ns = now_ns};
  for (size_t i = 0; i < manifest.chunks.size(); ++i) {
    if (manifest.chunks[i].is_zero()) continue;
    if (own[i])
      row.chunks.emplace_back(static_cast<uint32_t>(i), manifest.chunks[i]);
    else
      row.whole = false;
  }
  return row;
}

/// What was unstored before stays so.
void add_old_chunks(UnstoredImage& row, const UnstoredImage& old) {
  std::map<uint32_t, ChunkId> chunks(row.chunks.begin(), row.chunks.end());
  chunks.insert(old.chunks.begin(), old.chunks.end());
  row.chunks.assign(chunks.begin(), chunks.end());
  row.whole = row.whole || old.whole;
  row.since_ns = std::min(row.since_ns, old.since_ns);
}

}  // namespace

Status Cache::State::copy_chunk(int from, int to, uint64_t size, uint64_t index) {
  Bytes bytes(chunk_length(size, index), '\0');
  ASSIGN_OR_RETURN(size_t got, io::read_at(from, bytes.data(), bytes.size(), chunk_offset(index)));
  if (got != bytes.size()) return error(Code::kIo, "the file ends within chunk {}", index);
  return io::write_at(to, bytes, chunk_offset(index));
}

Result<std::shared_ptr<Image>> Cache::State::seal(std::unique_ptr<Staging>& staging,
                                                  const std::shared_ptr<const Manifest>& manifest,
                                                  const std::vector<bool>& own, bool keep_record) {
  CHECK(staging && own.size() == manifest->chunks.size());
  ASSIGN_OR_RETURN(uint64_t file_size, io::file_size(staging->fd()));
  if (file_size != manifest->size) TRY(staging->truncate(manifest->size));
  Sealing sealing{staging, manifest, own, row_for(*manifest, own, clock.realtime_ns()), std::nullopt, std::nullopt};
  if (keep_record && staging->has_record()) sealing.kept = StagingRow{*manifest, staging->record_, staging->handover_};
  const ManifestId& id = sealing.row.id;
  // If chunks must be copied into an image that is here already, there must be room for them; see State.
  const bool merges = images.find(id).has_value();
  if (merges) TRY(space->admit(staging->disk_bytes_));

  std::shared_ptr<Image> image;  // goes after the lock
  MutexLock lock(locks.of(id.bytes()));
  std::optional<ImageEntry> entry = images.find(id);
  if (entry && entry->unstored) {
    ASSIGN_OR_RETURN(sealing.old, journal->find_image(id));
  }
  const bool covers = sealing.row.whole;
  if (sealing.old) add_old_chunks(sealing.row, sealing.old->row);
  image = held_locked(id);
  if (!image && entry && (entry->final || !covers)) {
    ASSIGN_OR_RETURN(image, open_locked(id, manifest));
  }
  if (!image) return become_image_locked(sealing);
  TRY(merge_locked(sealing, *image));
  return image;
}

Status Cache::State::merge_locked(Sealing& sealing, Image& image) {
  std::vector<uint64_t> copied;
  for (uint64_t i = 0; i < sealing.own.size(); ++i) {
    if (!sealing.own[i] || image.has(i)) continue;
    TRY(copy_chunk(sealing.staging->fd(), image.fd(), sealing.manifest->size, i));
    copied.push_back(i);
  }
  sealing.row.staging_id = 0;
  // What was synced with the staging file is lost with it unless the image has it, and the journal says so.
  const bool recorded = !sealing.staging->record_.empty();
  if (recorded) TRY(io::sync_data(image.fd(), layout.image(image.id(), image.complete())));
  TRY(journal->record_image(sealing.row, sealing.old, sealing.staging->id(), sealing.kept));
  if (recorded) TRY(journal->sync());
  uint64_t copied_bytes = 0;
  for (uint64_t i : copied)
    if (image.mark_present(i)) copied_bytes += chunk_length(sealing.manifest->size, i);
  images.update(image.id(), [&](ImageEntry& entry) {
    entry.unstored = true;
    entry.disk_bytes += copied_bytes;
    entry.present_chunks += static_cast<uint32_t>(copied.size());
  });
  if (Status saved = save_locked(image); !saved) index_lacks(image.id(), saved.error());
  sealing.staging->record_.clear();
  sealing.staging->handover_.clear();
  sealing.staging.reset();
  return {};
}

Result<std::shared_ptr<Image>> Cache::State::become_image_locked(Sealing& sealing) {
  const ManifestId& id = sealing.row.id;
  Staging& staging = *sealing.staging;
  staging.account();
  sealing.row.staging_id = staging.id();
  ASSIGN_OR_RETURN(uint64_t sequence, journal->record_image(sealing.row, sealing.old, staging.id(), sealing.kept));
  // A record that speaks of the staging file under its old name may be safe already; so this one must be before it.
  if (!staging.record_.empty()) TRY(journal->sync());
  const std::string target = layout.partial_image(id);
  FAULT_POINT("seal.rename.before");
  if (::rename(staging.path_.c_str(), target.c_str()) != 0) {
    auto failed = errno_error(errno, fmt::format("rename {} to {}", staging.path_, target));
    std::optional<StagingRow> record;
    if (staging.has_record()) record = StagingRow{std::nullopt, staging.record_, staging.handover_};
    TRY(journal->undo_image(id, sequence, sealing.old, staging.id(), record));
    return failed;
  }
  FAULT_POINT("seal.rename.after");

  ImageEntry entry = images.find(id).value_or(ImageEntry());
  entry.size = sealing.manifest->size;
  entry.disk_bytes = staging.disk_bytes_;
  entry.present_chunks =
      static_cast<uint32_t>(std::count_if(sealing.own.begin(), sealing.own.end(), [](bool mine) { return mine; }));
  entry.unstored = true;
  images.put(id, entry);
  auto* image = new Image(*cache, id, sealing.manifest, std::move(staging.fd_));
  image->set_present({}, {});
  for (uint64_t i = 0; i < sealing.own.size(); ++i)
    if (sealing.own[i]) image->mark_present(i);
  std::shared_ptr<Image> shared = share_locked(image);
  // The journal knows enough to bring the index up to date in the next life.
  // Also an image of nothing new: a file that the index does not know would take room for ever.
  if (Status saved = save_locked(*image, true); !saved) index_lacks(id, saved.error());
  sealing.staging.reset();
  return shared;
}

}  // namespace weir::cache
