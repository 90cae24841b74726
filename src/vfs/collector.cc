#include "vfs/collector.h"

#include "base/fault_point.h"

namespace weir::vfs {

Result<meta::CollectReport> collect_garbage(Core& core, bool ignore_grace, const meta::KeepGoing& keep_going) {
  MutexLock lock(core.collecting);
  auto remove = [&](std::span<const std::string> names) -> Status {
    FAULT_POINT("collect.remove.before");
    TRY(core.store.remove_all(names));
    FAULT_POINT("collect.remove.after");
    return {};
  };
  return meta::collect(core.volume, ignore_grace, remove, keep_going);
}

}  // namespace weir::vfs
