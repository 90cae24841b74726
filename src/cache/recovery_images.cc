#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>

#include "base/io.h"
#include "base/log.h"
#include "cache/state.h"
#include "model/chunk.h"

namespace weir::cache {

/// True if the file had not got its new name.
Result<bool> Cache::State::finish_seal(const UnstoredImage& row) {
  if (row.staging_id == 0) return false;
  const std::string from = layout.staging(row.staging_id);
  if (::rename(from.c_str(), layout.partial_image(row.id).c_str()) == 0) return true;
  if (errno == ENOENT) return false;
  return errno_error(errno, fmt::format("rename {}", from));
}

/// For each chunk of the row, whether its bytes are in the file.
Result<std::vector<bool>> Cache::State::check_chunks(const UnstoredImage& row) {
  std::vector<bool> intact(row.chunks.size());
  ASSIGN_OR_RETURN(ImageFile file, open_file(row.id, true));
  if (!file.fd.valid()) return intact;
  // The final name means that the file was synced.
  if (file.final || !directory.boot_changed()) return std::vector<bool>(row.chunks.size(), true);
  Bytes bytes;
  for (size_t i = 0; i < row.chunks.size(); ++i) {
    const auto& [number, id] = row.chunks[i];
    bytes.resize(chunk_length(row.size, number));
    Result<size_t> got = io::read_at(file.fd.get(), bytes.data(), bytes.size(), chunk_offset(number));
    intact[i] = got && *got == bytes.size() && chunk_id_of(bytes) == id;
  }
  return intact;
}

Status Cache::State::recover_unstored(const Journal::ImageRecord& record, const LostContent& lost) {
  UnstoredImage row = record.row;
  // The row goes on naming the staging file: another power loss may undo the file's new name.
  ASSIGN_OR_RETURN(bool renamed, finish_seal(row));
  ASSIGN_OR_RETURN(std::vector<bool> intact, check_chunks(row));
  std::vector<ChunkId> lost_chunks;
  std::vector<IndexedChunk> kept;
  for (size_t i = 0; i < intact.size(); ++i) {
    if (intact[i])
      kept.push_back(row.chunks[i]);
    else
      lost_chunks.push_back(row.chunks[i].second);
  }
  if (!lost_chunks.empty()) {
    log::error("power loss took {} of {} chunks of image {} that were not stored", lost_chunks.size(),
               row.chunks.size(), row.id.hex());
    if (lost) lost(row.id, lost_chunks);
    row.chunks = kept;
    row.whole = false;
  }
  if (kept.empty() && !lost_chunks.empty()) {
    TRY(journal->erase_image(record));
    return evict_locked(row.id);
  }
  if (row != record.row) TRY(journal->rewrite_image(record, row));

  ASSIGN_OR_RETURN(std::optional<ImageRow> known, index->find(row.id));
  ImageRow entry = known.value_or(ImageRow{.uses = 1, .size = row.size, .last_used_ns = clock.realtime_ns()});
  ASSIGN_OR_RETURN(ImageFile file, open_file(row.id, entry.final));
  if (file.fd.valid()) {
    struct stat attributes {};
    if (::fstat(file.fd.get(), &attributes) != 0) return errno_error(errno, fmt::format("look at {}", row.id.hex()));
    entry.disk_bytes = static_cast<uint64_t>(attributes.st_blocks) * 512;
    entry.final = file.final;
    // A power loss may have taken the size, and the image may get its final name without being opened.
    const bool sized = static_cast<uint64_t>(attributes.st_size) == row.size;
    if (!sized && !file.final && ::ftruncate(file.fd.get(), static_cast<off_t>(row.size)) != 0)
      return errno_error(errno, fmt::format("give {} its size", layout.partial_image(row.id)));
  }
  if (!entry.final) {
    const bool usable = known && known->boot == boot && !renamed;
    if (!usable) entry.present.clear();
    entry.present.resize(chunk_count(row.size));
    if (row.whole) entry.present.assign(entry.present.size(), true);
    for (const auto& [number, chunk] : kept) entry.present[number] = true;
    entry.boot = boot;
    if (!usable) entry.unverified.clear();
    if (!usable || entry.present_chunks < kept.size()) entry.present_chunks = static_cast<uint32_t>(kept.size());
  }
  TRY(index->save(row.id, entry, kept));
  ImageEntry loaded = ImageEntry::of(entry);
  loaded.unstored = true;
  images.put(row.id, loaded);
  return {};
}

}  // namespace weir::cache
