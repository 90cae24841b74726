#include "vfs/collector.h"

namespace weir::vfs {

Result<meta::CollectReport> collect_garbage(Core& core, bool ignore_grace, const meta::KeepGoing& keep_going) {
  MutexLock lock(core.collecting);
  return meta::collect(
      core.volume, ignore_grace, [&](const std::string& name) { return core.store.remove(name); }, keep_going);
}

}  // namespace weir::vfs
