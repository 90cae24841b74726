#include <algorithm>
#include <map>
#include <set>
#include <tuple>

#include "base/limits.h"
#include "meta/keys.h"
#include "meta/lock_tables.h"
#include "meta/locks.h"

namespace weir::meta {

namespace {

using OwnerName = std::pair<NodeId, uint64_t>;
OwnerName owner_of(const NodeLock& lock) { return {lock.node, lock.owner}; }

/// A wait, and that through which it was found.
struct Step {
  InodeId inode;
  LockWaiter waiter;
  size_t before = 0;  // index of the step whose way this one's owner is in
};

/// Who waits for whom, as the tables looked when they were read, one after another.
class Waits {
 public:
  explicit Waits(const std::vector<std::pair<InodeId, LockRow>>& tables) {
    for (const auto& [inode, row] : tables) {
      rows_[inode] = &row;
      for (const LockWaiter& one : row.waiting)
        if (one.wanted.kind == LockKind::kPosix) by_owner_[owner_of(one.wanted)].push_back({inode, one});
    }
  }

  /// The waits of a circle that begins and ends with this one; empty: there is none.
  std::vector<Step> circle(InodeId inode, const LockWaiter& first) const {
    std::vector<Step> steps = {{inode, first}};
    std::set<OwnerName> seen;
    for (size_t at = 0; at < steps.size() && seen.size() < limits::kLockCircleOwners; ++at) {
      const Step step = steps[at];
      for (const NodeLock& held : rows_.at(step.inode)->held) {
        if (owner_of(held) == owner_of(step.waiter.wanted) || !exclude(held, step.waiter.wanted)) continue;
        if (owner_of(held) == owner_of(first.wanted)) return way_to(steps, at);
        if (!seen.insert(owner_of(held)).second) continue;
        auto waits = by_owner_.find(owner_of(held));
        if (waits == by_owner_.end()) continue;
        for (const auto& [where, waiter] : waits->second) steps.push_back({where, waiter, at});
      }
    }
    return {};
  }

 private:
  static std::vector<Step> way_to(const std::vector<Step>& steps, size_t last) {
    std::vector<Step> way;
    for (size_t at = last; at != 0; at = steps[at].before) way.push_back(steps[at]);
    way.push_back(steps[0]);
    std::reverse(way.begin(), way.end());
    return way;
  }

  std::map<InodeId, const LockRow*> rows_;
  std::map<OwnerName, std::vector<std::pair<InodeId, LockWaiter>>> by_owner_;
};

/// Of those in a circle the one that gives up: all of them choose the same.
const Step& who_gives_up(const std::vector<Step>& circle) {
  return *std::max_element(circle.begin(), circle.end(), [](const Step& a, const Step& b) {
    return std::tie(a.waiter.wanted.node, a.waiter.request) < std::tie(b.waiter.wanted.node, b.waiter.request);
  });
}

/// Each still waits for the next.
bool still_closed(const std::vector<Step>& circle, const std::map<InodeId, LockTableRead>& tables) {
  for (size_t i = 0; i < circle.size(); ++i) {
    const Step& step = circle[i];
    const OwnerName next = owner_of(circle[(i + 1) % circle.size()].waiter.wanted);
    const LockRow& row = tables.at(step.inode).row;
    if (row.waiter(step.waiter.wanted.node, step.waiter.request) == nullptr) return false;
    const bool waits = std::any_of(row.held.begin(), row.held.end(), [&](const NodeLock& held) {
      return owner_of(held) == next && exclude(held, step.waiter.wanted);
    });
    if (!waits) return false;
  }
  return true;
}

/// The tables were read one after another: only if all of them say so at one moment it is a circle.
Result<bool> give_up(Volume& volume, const std::vector<Step>& circle) {
  std::vector<InodeId> inodes;
  std::vector<Bytes> wanted;
  for (const Step& step : circle) {
    if (std::find(inodes.begin(), inodes.end(), step.inode) != inodes.end()) continue;
    inodes.push_back(step.inode);
    wanted.push_back(keys::locks(step.inode, 0));
  }
  const Step& mine = circle.front();
  bool closed = false;
  auto done = run_transaction(volume, {}, [&](Attempt& attempt) -> Status {
    closed = false;
    ASSIGN_OR_RETURN(auto values, attempt.transaction.get_many(wanted));
    std::map<InodeId, LockTableRead> tables;
    for (size_t i = 0; i < inodes.size(); ++i) {
      ASSIGN_OR_RETURN(tables[inodes[i]], read_lock_table(attempt.transaction, inodes[i], values[i]));
    }
    closed = still_closed(circle, tables);
    if (!closed) return error(Code::kNotFound, "the circle is open");
    LockRow row = tables[mine.inode].row;
    row.remove_waiter(mine.waiter.wanted.node, mine.waiter.request);
    write_lock_table(volume, attempt.transaction, mine.inode, tables[mine.inode], row);
    return {};
  });
  if (done) return true;
  if (!closed && done.error().code == Code::kNotFound) return false;
  return Failure(done.error());
}

}  // namespace

Result<CircleEnd> end_circle(Volume& volume, InodeId inode, NodeId node, uint64_t request) {
  ASSIGN_OR_RETURN(const auto tables, all_lock_rows(volume));
  const auto table = std::find_if(tables.begin(), tables.end(), [&](const auto& one) { return one.first == inode; });
  const LockWaiter* waiter = table == tables.end() ? nullptr : table->second.waiter(node, request);
  CircleEnd end;
  if (waiter == nullptr || waiter->wanted.kind != LockKind::kPosix) return end;
  const std::vector<Step> circle = Waits(tables).circle(inode, *waiter);
  if (circle.empty()) return end;
  const Step& last = who_gives_up(circle);
  if (!last.waiter.is_of(node, request)) {
    end.other = LockGrant{last.inode, last.waiter.wanted.node, last.waiter.request};
    return end;
  }
  ASSIGN_OR_RETURN(end.ended, give_up(volume, circle));
  return end;
}

}  // namespace weir::meta
