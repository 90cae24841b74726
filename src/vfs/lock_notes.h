#pragma once

#include <compare>
#include <map>
#include <optional>
#include <vector>

#include "base/mutex.h"
#include "base/slot_table.h"
#include "model/lock.h"

namespace weir::vfs {

/// Of whose locks something may be in the volume's tables: noted before it is taken there, and forgotten after it was
/// given up, so that closing a file that nobody locked costs nothing. What is noted lies in slots of the shared memory
/// file, for a successor. Thread-safe; never blocks.
class LockNotes {
 public:
  struct Place {
    InodeId inode;
    LockKind kind = LockKind::kPosix;
    uint64_t owner = 0;
    auto operator<=>(const Place&) const = default;
  };

  /// Goes on with what a predecessor noted. Null: no slots.
  explicit LockNotes(SlotTable* slots);

  /// An operation begins that may take a lock.
  void begin(const Place& place);
  /// It has ended. Without others under way, an owner that does not hold anything is forgotten; but who of several at a
  /// time came last is not known, so one that ended with a lock keeps the note until the next operation.
  void end(const Place& place, bool holds);
  bool may_hold(const Place& place) const;
  std::vector<Place> all() const;
  std::vector<InodeId> inodes() const;
  /// In the inode's table are these locks of this node. How many owners held something, and do not any more: those are
  /// forgotten.
  size_t keep_only(InodeId inode, const std::vector<NodeLock>& held);

 private:
  struct Note {
    std::optional<SlotId> slot;
    size_t under_way = 0;
    bool holds = false;
    bool took = false;  // one of those that were under way at a time ended with a lock
  };
  void set_holds(const Place& place, Note& note, bool holds) REQUIRES(mutex_);

  SlotTable* const slots_;
  mutable Mutex mutex_;
  bool exhaustion_logged_ GUARDED_BY(mutex_) = false;
  std::map<Place, Note> notes_ GUARDED_BY(mutex_);
};

}  // namespace weir::vfs
