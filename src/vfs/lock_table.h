#pragma once

#include <list>
#include <map>
#include <optional>
#include <unordered_map>
#include <vector>

#include "base/mutex.h"
#include "base/slot_table.h"
#include "vfs/locks.h"

namespace weir::vfs {

/// Locks of the processes of one node. Waiters are granted in order of arrival by who releases. What is held lies in
/// slots of the shared memory file too; waiters do not, since a successor gets their requests again. Never blocks: who
/// must wait is called back.
class LockTable : public Locks {
 public:
  /// Holds what the slots say that a predecessor held. Null: no slots.
  explicit LockTable(SlotTable* slots = nullptr);
  Result<Lock> conflicting(InodeId inode, const Lock& wanted) override;
  /// Callbacks run on this thread before it returns, or on the thread of the call that makes the grant possible.
  void set(InodeId inode, const Lock& wanted, bool wait, uint64_t request, LockDone done) override;
  void interrupt(uint64_t request) override;
  void release_owner(InodeId inode, LockKind kind, uint64_t owner) override;
  bool may_hold(InodeId inode, LockKind kind, uint64_t owner) const override;
  bool are_shared() const override { return false; }

 private:
  struct Waiter {
    Lock wanted;
    uint64_t request = 0;
    LockDone done;
  };
  struct Held : Lock {
    std::optional<SlotId> slot;
  };
  struct State {
    std::vector<Held> held;
    std::list<Waiter> waiting;
  };
  using Calls = std::vector<LockDone>;

  static bool conflicts(const Lock& held, const Lock& wanted);
  static const Lock* find_conflict(const State& state, const Lock& wanted);
  void apply(InodeId inode, State& state, const Lock& wanted) REQUIRES(mutex_);
  /// `lock` as it is from now on, noted in a slot.
  Held hold(InodeId inode, const Lock& lock) REQUIRES(mutex_);
  void give_up(const Held& held) REQUIRES(mutex_);
  /// Who waits for `wanted` would wait for itself.
  bool closes_circle(const State& state, const Lock& wanted) const REQUIRES(mutex_);
  /// flock(2): a conversion gives up the old lock first, so that two of them do not wait for each other.
  void give_up_converted(InodeId inode, const Lock& wanted, Calls& granted) REQUIRES(mutex_);
  void grant_waiters(InodeId inode, Calls& granted) REQUIRES(mutex_);

  SlotTable* const slots_;
  mutable Mutex mutex_;
  bool exhaustion_logged_ GUARDED_BY(mutex_) = false;
  std::unordered_map<InodeId, State> states_ GUARDED_BY(mutex_);
};

}  // namespace weir::vfs
