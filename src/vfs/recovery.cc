#include "vfs/recovery.h"

#include "base/log.h"
#include "vfs/publisher.h"

namespace weir::vfs {

namespace {

Status recover_one(Core& core, cache::Recovered& recovered) {
  ASSIGN_OR_RETURN(InodeId inode, Draft::inode_of_record(recovered.record));
  FileRef file = core.files.acquire(inode);
  auto version = core.version_of(*file);
  if (!version && version.error().code == Code::kNotFound) {
    log::info("inode {} was removed; what was staged for it is dropped", inode.value);
    return {};
  }
  if (!version) {
    recovered.staging->keep();
    return Failure(version.error());
  }
  {
    MutexLock lock(file->mutex);
    ASSIGN_OR_RETURN(file->draft,
                     Draft::recovered(core.cache, std::move(recovered.staging), recovered.record, *version));
  }
  Status published = publish(core, {}, *file);
  if (published) log::info("inode {}: what was written before the last stop is published", inode.value);
  if (!published) {
    MutexLock lock(file->mutex);
    if (file->draft && file->draft->staging() != nullptr) file->draft->staging()->keep();
  }
  core.let_go(std::move(file));
  return published;
}

}  // namespace

Status recover(Core& core) {
  for (cache::Recovered& recovered : core.cache.take_recovered()) {
    Status done = recover_one(core, recovered);
    if (!done)
      core.report(
          fmt::format("a staging file could not be published and stays for the next start: {}", done.error().what));
  }
  ASSIGN_OR_RETURN(auto orphans, meta::orphans_of_this_node(core.volume));
  for (InodeId orphan : orphans) {
    if (core.files.in_use(orphan)) continue;
    TRY(meta::release_orphan(core.volume, {}, orphan));
  }
  return {};
}

}  // namespace weir::vfs
