#include <algorithm>

#include "base/io.h"
#include "base/log.h"
#include "cache/state.h"
#include "model/chunk.h"

namespace weir::cache {

bool Cache::State::is_unindexed(const ManifestId& id) {
  MutexLock lock(unindexed_mutex);
  return unindexed.contains(id);
}

/// While the journal has a record of it, an image that the index does not know is found in the next life. Before that
/// goes, the index gets to know it: nobody would ever remove the file.
Status Cache::State::index_unstored_locked(const UnstoredImage& unstored, const Image* held) {
  const ManifestId& id = unstored.id;
  if (std::optional<ImageEntry> entry = images.find(id)) {
    ImageRow row = entry->row(boot);
    ASSIGN_OR_RETURN(std::optional<ImageRow> known, index->find(id));
    if (!entry->final) {
      if (known && known->boot == boot) row.present = known->present;
      if (held != nullptr) row.present = held->present();
      row.present.resize(chunk_count(unstored.size));
      if (unstored.whole) row.present.assign(row.present.size(), true);
      for (const auto& [number, chunk] : unstored.chunks) row.present[number] = true;
    }
    TRY(index->save(id, row, unstored.chunks));
  }
  MutexLock lock(unindexed_mutex);
  unindexed.erase(id);
  return {};
}

Status Cache::State::mark_image_stored(const Unstored& record) {
  const ManifestId& id = record.image;
  std::shared_ptr<Image> held = images.held(id);  // goes after the lock
  std::optional<ImageEntry> entry = images.find(id);
  if (!entry || !entry->unstored) return {};
  ASSIGN_OR_RETURN(std::optional<ImageRow> row, index->find(id));
  const bool whole =
      held ? held->complete() : row && std::find(row->present.begin(), row->present.end(), false) == row->present.end();
  ImageFile file;
  if (!held) {
    ASSIGN_OR_RETURN(file, open_file(id, entry->final));
  }
  const int fd = held ? held->fd() : file.fd.get();
  const bool finalize = whole && !entry->final && fd >= 0;
  // Before the lock is taken: others wait for it to open this image.
  if (finalize) TRY(io::sync_data(fd, layout.partial_image(id)));

  MutexLock lock(locks.of(id.bytes()));
  ASSIGN_OR_RETURN(std::optional<Journal::ImageRecord> unstored, journal->find_image(id));
  // A newer record takes the older one's chunks along; its own mark comes later.
  if (!unstored || unstored->sequence != record.sequence) return {};
  entry = images.find(id);
  if (finalize && entry && !entry->final) TRY(finalize_locked(id, fd, {}));
  if (is_unindexed(id)) TRY(index_unstored_locked(unstored->row, held.get()));
  TRY(journal->erase_image(*unstored));
  images.update(id, [](ImageEntry& changed) { changed.unstored = false; });
  return {};
}

}  // namespace weir::cache
