#pragma once

#include <cstdint>
#include <optional>
#include <unordered_map>
#include <vector>

#include "base/clock.h"
#include "base/mutex.h"
#include "kv/rows.h"
#include "kv/write_set.h"
#include "model/ids.h"
#include "model/records.h"

namespace weir::meta {

/// Directories that this node has read within limits::kRecentDirectoryMs, with all that it changed in them since. Every
/// change of a directory makes the kernel ask for its attributes anew, and of a server that is a round trip each time.
/// What other nodes do meanwhile is not in it. Only for shared engines. Bounded. Thread-safe; never blocks.
class RecentDirectories {
 public:
  /// Requires: `clock` outlives this.
  explicit RecentDirectories(Clock& clock) : clock_(clock) {}

  /// Deltas are folded in. Nothing: it must be read.
  std::optional<Inode> known(InodeId directory);

  /// Which reading of a directory this is.
  using Ticket = uint64_t;
  /// Before it is read.
  Ticket begin_read(InodeId directory);
  /// All its rows, as they were read. Forgotten at once if this node changed any of them since begin_read().
  void learned(InodeId directory, Ticket ticket, const kv::Value& inode, const std::vector<kv::KeyValue>& deltas);

  /// The directories, and other inodes, that a transaction changes.
  using Changed = std::vector<InodeId>;
  static Changed changed_by(const kv::WriteSet& writes);
  /// Before its commit.
  void begin_change(const Changed& changed);
  /// When its outcome is known, and before the caller hears of it: what it wrote, and as which version.
  void committed(const Changed& changed, const kv::WriteSet& writes, kv::Version version);
  /// Or it failed, or who knows; then forget_all() when it turns out to have happened.
  void not_committed(const Changed& changed);
  /// Something happened of which it is not known what it changed.
  void forget_all();

 private:
  struct Entry {
    int changes = 0;     // of which the outcome is not known yet
    Ticket reading = 0;  // 0: none that may be learned
    bool is_known = false;
    int64_t begun_ns = 0;    // the reading of what is known
    int64_t reading_ns = 0;  // the one under way
    kv::Value inode;
    std::vector<kv::KeyValue> deltas;
  };

  static void apply(Entry& entry, InodeId directory, const kv::WriteSet& writes, kv::Version version);
  void end_change(InodeId directory, Entry& entry) REQUIRES(mutex_);

  Clock& clock_;
  Mutex mutex_;
  std::unordered_map<InodeId, Entry> entries_ GUARDED_BY(mutex_);
  Ticket last_ticket_ GUARDED_BY(mutex_) = 0;
};

}  // namespace weir::meta
