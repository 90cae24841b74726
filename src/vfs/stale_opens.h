#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
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
  /// The caller is told so when it asks for attributes: before it opens the name, or for nothing else.
  void told_of_attributes(const Caller& caller, KernelNode node);
  /// The caller looked a name up, which stands for `inode`, or for nothing.
  void looked_up(const Caller& caller, const std::optional<Inode>& inode);
  struct ComesBack {
    bool again = false;            // it was told so, of any node id, and looked a name up since: true once
    bool maybe_later = false;      // it was told when it asked for attributes, so the look-up may be of another call
    std::optional<Inode> inode{};  // as it was looked up, by this thread or another one that it waited for
  };
  ComesBack comes_back(const Caller& caller, InodeId inode);

 private:
  void remember(const Inode& inode) REQUIRES(mutex_);

  struct Told {
    KernelNode node;
    int64_t at_ns = 0;
    bool of_attributes = false;
    std::optional<InodeId> looked_up;  // since then
  };

  Clock& clock_;
  std::atomic<bool> any_ = false;
  Mutex mutex_;
  std::unordered_map<uint32_t, Told> told_ GUARDED_BY(mutex_);    // by thread
  std::unordered_map<InodeId, Inode> recent_ GUARDED_BY(mutex_);  // looked up last
  std::deque<InodeId> order_ GUARDED_BY(mutex_);                  // of these, the oldest first
};

}  // namespace weir::vfs
