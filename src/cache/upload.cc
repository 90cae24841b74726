#include <algorithm>

#include "base/io.h"
#include "base/log.h"
#include "cache/state.h"

namespace weir::cache {

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
  TRY(journal->erase_image(*unstored));
  images.update(id, [](ImageEntry& changed) { changed.unstored = false; });
  return {};
}

}  // namespace weir::cache
