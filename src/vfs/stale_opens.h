#pragma once

#include <cstdint>
#include <unordered_map>

#include "base/clock.h"
#include "base/mutex.h"
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
  /// The caller was told so of some node id, and comes back with what was looked up since, at `looked_up_ns`.
  bool comes_back(const Caller& caller, int64_t looked_up_ns);

 private:
  struct Told {
    KernelNode node;
    int64_t at_ns = 0;
  };

  Clock& clock_;
  Mutex mutex_;
  std::unordered_map<uint32_t, Told> told_ GUARDED_BY(mutex_);  // by thread
};

}  // namespace weir::vfs
