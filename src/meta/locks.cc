#include "meta/locks.h"

#include <algorithm>

#include "base/limits.h"
#include "meta/lock_tables.h"

namespace weir::meta {

namespace {

/// flock(2): a conversion gives up the old lock first, so that two of them do not wait for each other.
std::vector<LockWaiter> give_up_converted(LockRow& row, const NodeLock& wanted) {
  if (wanted.kind != LockKind::kFlock) return {};
  const bool given_up = std::erase_if(row.held, [&](const NodeLock& one) {
                          return one.is_of(wanted.node, wanted.kind, wanted.owner) && one.type != wanted.type;
                        }) > 0;
  return given_up ? row.grant() : std::vector<LockWaiter>();
}

void append(std::vector<LockWaiter>& to, std::vector<LockWaiter> more) {
  to.insert(to.end(), more.begin(), more.end());
}

LockOutcome set_in(LockRow& row, const NodeLock& wanted, std::optional<uint64_t> request,
                   std::vector<LockWaiter>& granted) {
  granted = give_up_converted(row, wanted);
  if (row.conflict_with(wanted) == nullptr) {
    if (request) row.remove_waiter(wanted.node, *request);
    row.apply(wanted);
    // A changed or released range may be what others wait for.
    append(granted, row.grant());
    return LockOutcome::kGranted;
  }
  if (!request) return LockOutcome::kRefused;
  if (row.waiter(wanted.node, *request) == nullptr) row.waiting.push_back({wanted, *request});
  return LockOutcome::kWaiting;
}

}  // namespace

Result<LockChange> set_lock(Volume& volume, InodeId inode, const NodeLock& wanted, std::optional<uint64_t> request) {
  LockChange made;
  TRY(change_locks(volume, inode, wanted.type != LockType::kNone, [&](const LocksAttempt& attempt) -> Status {
    made = {};
    LockRow& row = attempt.row;
    NodeLock now = wanted;
    now.epoch = std::max(wanted.epoch, attempt.epoch);
    std::vector<LockWaiter> granted;
    made.outcome = set_in(row, now, request, granted);
    if (row.size() > limits::kLocksOfFile)
      return error(Code::kNoLocks, "inode {} has {} locks, and no more are kept", inode.value, limits::kLocksOfFile);
    made.holds_any = row.holds_any(wanted.node, wanted.kind, wanted.owner);
    if (made.outcome == LockOutcome::kGranted) made.inode = attempt.inode;
    made.granted = grants_of(inode, granted);
    return {};
  }));
  return made;
}

Result<std::vector<LockGrant>> release_owner(Volume& volume, InodeId inode, NodeId node, LockKind kind,
                                             uint64_t owner) {
  std::vector<LockGrant> granted;
  TRY(change_locks(volume, inode, false, [&](const LocksAttempt& attempt) -> Status {
    granted.clear();
    if (attempt.row.release_owner(node, kind, owner)) granted = grants_of(inode, attempt.row.grant());
    return {};
  }));
  return granted;
}

Result<bool> end_wait(Volume& volume, InodeId inode, NodeId node, uint64_t request) {
  bool ended = false;
  TRY(change_locks(volume, inode, false, [&](const LocksAttempt& attempt) -> Status {
    ended = attempt.row.remove_waiter(node, request);
    return {};
  }));
  return ended;
}

Result<std::vector<LockGrant>> release_locks_of(Volume& volume, NodeId node, uint64_t epoch) {
  const auto is_over = [&](const NodeLock& lock) { return lock.node == node && lock.epoch <= epoch; };
  ASSIGN_OR_RETURN(auto all, all_lock_rows(volume));
  std::vector<LockGrant> granted;
  for (const auto& [inode, seen] : all) {
    if (!std::any_of(seen.held.begin(), seen.held.end(), is_over) &&
        !std::any_of(seen.waiting.begin(), seen.waiting.end(),
                     [&](const LockWaiter& one) { return is_over(one.wanted); }))
      continue;
    std::vector<LockGrant> here;
    TRY(change_locks(volume, inode, false, [&, id = inode](const LocksAttempt& attempt) -> Status {
      LockRow& row = attempt.row;
      std::erase_if(row.waiting, [&](const LockWaiter& one) { return is_over(one.wanted); });
      std::erase_if(row.held, is_over);
      here = grants_of(id, row.grant());
      return {};
    }));
    granted.insert(granted.end(), here.begin(), here.end());
  }
  return granted;
}

Result<std::vector<NodeLock>> reclaim_locks(Volume& volume, InodeId inode, NodeId node, uint64_t epoch) {
  std::vector<NodeLock> mine;
  TRY(change_locks(volume, inode, false, [&](const LocksAttempt& attempt) -> Status {
    mine.clear();
    for (NodeLock& one : attempt.row.held) {
      if (one.node != node) continue;
      one.epoch = epoch;
      mine.push_back(one);
    }
    return {};
  }));
  return mine;
}

}  // namespace weir::meta
