#include "vfs/recovery.h"

#include "base/log.h"
#include "vfs/power_loss.h"
#include "vfs/publisher.h"

namespace weir::vfs {

namespace {

/// The staging file and its record are of no use any more.
Status drop(Core& core, cache::Recovered& recovered) {
  recovered.staging.reset();
  return recovered.sealed ? core.cache.forget_record(recovered.id) : Status();
}

Status recover_one(Core& core, cache::Recovered& recovered) {
  ASSIGN_OR_RETURN(Draft::RecordHead head, Draft::head_of_record(recovered.record));
  FileRef file = core.files.acquire(head.inode);
  auto version = core.version_of(*file);
  if (!version && version.error().code == Code::kNotFound) {
    log::info("inode {} was removed; what was staged for it is dropped", head.inode.value);
    return drop(core, recovered);
  }
  TRY(version);
  {
    MutexLock lock(file->mutex);
    // A draft's record may outlive its publish, but no other publish can come before it.
    if (file->generation != head.base_generation) return drop(core, recovered);
    ASSIGN_OR_RETURN(file->draft, Draft::recovered({core.cache, *core.memory, file->id}, recovered, *version));
  }
  Status published = publish(core, {}, *file);
  if (published) {
    log::info("inode {}: what was written before the last stop is published", head.inode.value);
    core.let_go(std::move(file));
  } else {
    core.keep_unpublished(std::move(file));
  }
  return published;
}

}  // namespace

Status recover(Core& core) {
  std::vector<cache::Recovered> all = core.cache.take_recovered();
  // The newest of a file first: older ones have been saved before it, and were to be dropped.
  for (auto recovered = all.rbegin(); recovered != all.rend(); ++recovered) {
    Status done = recover_one(core, *recovered);
    if (done) continue;
    if (recovered->staging) recovered->staging->keep();
    // The bytes of what was sealed stay as long as something may be published that nobody knows yet.
    if (recovered->sealed) ++core.open_publications;
    core.report(fmt::format("what was staged could not be published and stays for another try: {}", done.error().what));
  }
  TRY(settle_power_loss(core));
  ASSIGN_OR_RETURN(auto orphans, meta::orphans_of_this_node(core.volume));
  for (InodeId orphan : orphans) {
    if (core.files.in_use(orphan)) continue;
    TRY(meta::release_orphan(core.volume, {}, orphan));
  }
  return {};
}

}  // namespace weir::vfs
