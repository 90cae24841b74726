#pragma once

#include <atomic>
#include <cstdint>
#include <optional>
#include <unordered_map>

#include "base/clock.h"
#include "base/mutex.h"
#include "model/inode.h"
#include "vfs/types.h"

namespace weir::vfs {

/// Who was told that a node id is of the past. The kernel looks the name up again and comes back with the new one; but
/// who opens without a name (/proc/self/fd, a mounted file) comes back with the old one, and shall be served then.
/// Thread-safe; never blocks.
class StaleOpens {
 public:
  /// Requires: `clock` outlives this.
  explicit StaleOpens(Clock& clock) : clock_(clock) {}

  /// True: tell the caller so. False: it was told a moment ago.
  bool tell(const Caller& caller, KernelNode node);
  /// The caller looked a name up, which stands for `inode`, or for nothing.
  void looked_up(const Caller& caller, const std::optional<Inode>& inode);
  /// The caller was told so, of any node id, and now opens what it looked up since: as it was then. Once.
  std::optional<Inode> comes_back(const Caller& caller, InodeId inode);

 private:
  struct Told {
    KernelNode node;
    int64_t at_ns = 0;
    std::optional<Inode> looked_up;  // since then
  };

  Clock& clock_;
  std::atomic<bool> any_ = false;
  Mutex mutex_;
  std::unordered_map<uint32_t, Told> told_ GUARDED_BY(mutex_);  // by thread
};

}  // namespace weir::vfs
