#include "vfs/lock_table.h"

#include <algorithm>
#include <unordered_set>
#include <utility>

#include "base/log.h"
#include "vfs/shared_records.h"

namespace weir::vfs {

bool LockTable::conflicts(const Lock& held, const Lock& wanted) {
  return held.owner != wanted.owner && exclude(held, wanted);
}

const Lock* LockTable::find_conflict(const State& state, const Lock& wanted) {
  for (const Held& held : state.held)
    if (conflicts(held, wanted)) return &held;
  return nullptr;
}

LockTable::LockTable(SlotTable* slots) : slots_(slots) {
  if (slots == nullptr) return;
  std::vector<SlotId> broken;
  MutexLock lock(mutex_);
  slots->for_each([&](SlotId id, SharedSlot& slot) REQUIRES(mutex_) {
    const auto& record = slot.as<LockRecord>();
    if (record.inode == 0) return broken.push_back(id);
    const Lock held{static_cast<LockKind>(record.kind),
                    static_cast<LockType>(record.type),
                    record.owner,
                    record.first,
                    record.last,
                    record.pid};
    states_[InodeId{record.inode}].held.push_back({held, id});
  });
  for (SlotId id : broken) slots->free(id);
}

LockTable::Held LockTable::hold(InodeId inode, const Lock& lock) {
  if (slots_ == nullptr) return {lock, std::nullopt};
  auto slot = slots_->allocate();
  if (slot) {
    write_record(slots_->find(*slot)->as<LockRecord>(),
                 {inode.value, lock.owner, lock.first, lock.last, lock.pid, static_cast<uint8_t>(lock.kind),
                  static_cast<uint8_t>(lock.type)});
  } else if (!std::exchange(exhaustion_logged_, true)) {
    log::warning("{} locks are held; further ones would not survive a restart of the daemon", slots_->capacity());
  }
  return {lock, slot};
}

void LockTable::give_up(const Held& held) {
  if (held.slot) slots_->free(*held.slot);
}

void LockTable::apply(InodeId inode, State& state, const Lock& wanted) {
  std::vector<Held> next;
  std::vector<Held> ended;
  Lock merged = wanted;
  for (const Held& held : state.held) {
    bool mine = held.kind == wanted.kind && held.owner == wanted.owner;
    if (mine && held.type == wanted.type && wanted.type != LockType::kNone && touch(held, merged)) {
      merged.first = std::min(merged.first, held.first);
      merged.last = std::max(merged.last, held.last);
      ended.push_back(held);
    } else if (mine && overlap(held, wanted)) {
      Lock rest = held;
      if (held.first < wanted.first) {
        rest.last = wanted.first - 1;
        next.push_back(hold(inode, rest));
      }
      rest = held;
      if (held.last > wanted.last) {
        rest.first = wanted.last + 1;
        next.push_back(hold(inode, rest));
      }
      ended.push_back(held);
    } else {
      next.push_back(held);
    }
  }
  if (wanted.type != LockType::kNone) next.push_back(hold(inode, merged));
  // What is new is noted before what was is not: whoever dies in between holds too much until it is asked again.
  for (const Held& held : ended) give_up(held);
  state.held = std::move(next);
}

Result<Lock> LockTable::conflicting(InodeId inode, const Lock& wanted) {
  MutexLock lock(mutex_);
  Lock none = wanted;
  none.type = LockType::kNone;
  auto found = states_.find(inode);
  if (found == states_.end()) return none;
  const Lock* conflict = find_conflict(found->second, wanted);
  return conflict != nullptr ? *conflict : none;
}

bool LockTable::closes_circle(const State& state, const Lock& wanted) const {
  std::unordered_set<uint64_t> seen;  // owners that `wanted` would wait for, directly or not
  std::vector<std::pair<const State*, const Lock*>> waits = {{&state, &wanted}};
  while (!waits.empty()) {
    auto [place, wait] = waits.back();
    waits.pop_back();
    for (const Lock& held : place->held) {
      if (!conflicts(held, *wait)) continue;
      if (held.owner == wanted.owner) return true;
      if (!seen.insert(held.owner).second) continue;
      for (const auto& [inode, other] : states_)
        for (const Waiter& waiter : other.waiting)
          if (waiter.wanted.kind == LockKind::kPosix && waiter.wanted.owner == held.owner)
            waits.emplace_back(&other, &waiter.wanted);
    }
  }
  return false;
}

void LockTable::give_up_converted(InodeId inode, const Lock& wanted, Calls& granted) {
  auto& held = states_[inode].held;
  auto old = std::find_if(held.begin(), held.end(), [&](const Lock& one) {
    return one.kind == LockKind::kFlock && one.owner == wanted.owner && one.type != wanted.type;
  });
  if (old == held.end()) return;
  give_up(*old);
  held.erase(old);
  grant_waiters(inode, granted);
}

void LockTable::grant_waiters(InodeId inode, Calls& granted) {
  auto found = states_.find(inode);
  if (found == states_.end()) return;
  State& state = found->second;
  for (auto waiter = state.waiting.begin(); waiter != state.waiting.end();) {
    if (find_conflict(state, waiter->wanted) != nullptr) {
      ++waiter;
      continue;
    }
    apply(inode, state, waiter->wanted);
    granted.push_back(std::move(waiter->done));
    waiter = state.waiting.erase(waiter);
  }
  if (state.held.empty() && state.waiting.empty()) states_.erase(found);
}

void LockTable::set(InodeId inode, const Lock& wanted, bool wait, uint64_t request, LockDone done) {
  Calls granted;
  Status outcome;
  {
    MutexLock lock(mutex_);
    if (wanted.kind == LockKind::kFlock) give_up_converted(inode, wanted, granted);
    State& state = states_[inode];
    if (find_conflict(state, wanted) == nullptr) {
      apply(inode, state, wanted);
      // A changed or released range may be what others wait for.
      grant_waiters(inode, granted);
    } else if (!wait) {
      outcome = error(Code::kWouldBlock, "the lock is held by another");
    } else if (wanted.kind == LockKind::kPosix && closes_circle(state, wanted)) {
      outcome = error(Code::kDeadlock, "waiting for the lock would never end");
    } else {
      state.waiting.push_back(Waiter{wanted, request, std::exchange(done, nullptr)});
    }
  }
  if (done) done(outcome);
  for (LockDone& call : granted) call({});
}

void LockTable::interrupt(uint64_t request) {
  LockDone done;
  {
    MutexLock lock(mutex_);
    for (auto place = states_.begin(); place != states_.end() && !done; ++place) {
      auto& waiting = place->second.waiting;
      auto waiter = std::find_if(waiting.begin(), waiting.end(), [&](const Waiter& w) { return w.request == request; });
      if (waiter == waiting.end()) continue;
      done = std::move(waiter->done);
      waiting.erase(waiter);
      break;
    }
  }
  if (done) done(error(Code::kInterrupted, "the wait for a lock was interrupted"));
}

void LockTable::release_owner(InodeId inode, LockKind kind, uint64_t owner) {
  Calls granted;
  {
    MutexLock lock(mutex_);
    auto found = states_.find(inode);
    if (found == states_.end()) return;
    std::erase_if(found->second.held, [&](const Held& one) REQUIRES(mutex_) {
      const bool ends = one.kind == kind && one.owner == owner;
      if (ends) give_up(one);
      return ends;
    });
    grant_waiters(inode, granted);
  }
  for (LockDone& call : granted) call({});
}

bool LockTable::may_hold(InodeId inode, LockKind kind, uint64_t owner) const {
  MutexLock lock(mutex_);
  auto found = states_.find(inode);
  if (found == states_.end()) return false;
  const auto& held = found->second.held;
  return std::any_of(held.begin(), held.end(), [&](const Lock& one) { return one.kind == kind && one.owner == owner; });
}

}  // namespace weir::vfs
