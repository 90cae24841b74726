#include "vfs/revalidate.h"

#include "vfs/opens.h"
#include "vfs/publisher.h"

namespace weir::vfs {

namespace {

enum class Sight {
  kCurrent,   // what is loaded is what is published, or newer
  kOld,       // to be loaded anew
  kOldStays,  // readers alone, to whom the kernel shows the old content by itself
  kTorn,      // and writers beside them, who would write into it
};

Sight sight_of(File& file, const Inode& now) {
  MutexLock lock(file.mutex);
  if (file.generation >= now.generation) return Sight::kCurrent;
  if (!file.sights.passing() && file.backing_id == 0) return Sight::kOld;
  return file.writers > 0 || file.draft ? Sight::kTorn : Sight::kOldStays;
}

void unload(File& file) {
  MutexLock lock(file.mutex);
  // Unlocked writers may have begun another.
  if (file.draft && file.draft->changed()) return;
  file.draft.reset();
  file.version.reset();
  file.generation = 0;
}

Status bring_up_to(Core& core, File& file, const Inode& now) {
  switch (sight_of(file, now)) {
    case Sight::kCurrent:
    case Sight::kOldStays: return {};
    case Sight::kTorn:
      return error(Code::kIo,
                   "inode {} was changed by another node, and the kernel shows its old content to programs here that "
                   "read it; a lock is refused until they have closed it",
                   file.id.value);
    case Sight::kOld: break;
  }
  TRY(publish(core, {}, file));
  unload(file);
  TRY(core.version_of(file, now));
  std::vector<uint16_t> epochs;
  {
    MutexLock lock(file.mutex);
    epochs = file.sights.all();
  }
  return show_to(core, file, epochs);
}

}  // namespace

Status revalidate(Core& core, InodeId inode, const std::optional<Inode>& known) {
  std::vector<FileRef> files = core.files.all_of(inode);
  if (files.empty()) return {};
  for (const FileRef& file : files) file->locked = true;
  Result<Inode> now = known ? Result<Inode>(*known) : meta::get_inode(core.volume, inode);
  Status done;
  // Another node may have removed it: then it stays as it is here.
  if (!now && now.error().code != Code::kNotFound) done = Failure(now.error());
  for (FileRef& file : files) {
    if (now && done) done = bring_up_to(core, *file, *now);
    core.let_go(std::move(file));
  }
  return done;
}

}  // namespace weir::vfs
