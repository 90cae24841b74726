#include "vfs/lock_notes.h"

#include <algorithm>
#include <utility>

#include "base/log.h"
#include "vfs/shared_records.h"

namespace weir::vfs {

LockNotes::LockNotes(SlotTable* slots) : slots_(slots) {
  if (slots == nullptr) return;
  std::vector<SlotId> useless;
  MutexLock lock(mutex_);
  slots->for_each([&](SlotId id, SharedSlot& slot) REQUIRES(mutex_) {
    const auto& record = slot.as<LockRecord>();
    const Place place{InodeId{record.inode}, static_cast<LockKind>(record.kind), record.owner};
    const bool holds = static_cast<LockType>(record.type) != LockType::kNone;
    if (record.inode == 0 || !notes_.try_emplace(place, Note{id, 0, holds}).second) useless.push_back(id);
  });
  for (SlotId id : useless) slots->free(id);
}

void LockNotes::begin(const Place& place) {
  MutexLock lock(mutex_);
  auto [found, added] = notes_.try_emplace(place);
  Note& note = found->second;
  ++note.under_way;
  if (!added || slots_ == nullptr) return;
  note.slot = slots_->allocate();
  if (note.slot) {
    set_holds(place, note, false);
  } else if (!std::exchange(exhaustion_logged_, true)) {
    log::warning("{} owners hold locks; those of further ones are not given up by a daemon that is started again",
                 slots_->capacity());
  }
}

void LockNotes::set_holds(const Place& place, Note& note, bool holds) {
  note.holds = holds;
  if (!note.slot) return;
  const auto type = static_cast<uint8_t>(holds ? LockType::kWrite : LockType::kNone);
  write_record(slots_->find(*note.slot)->as<LockRecord>(),
               {place.inode.value, place.owner, 0, UINT64_MAX, 0, static_cast<uint8_t>(place.kind), type});
}

void LockNotes::end(const Place& place, bool holds) {
  MutexLock lock(mutex_);
  auto found = notes_.find(place);
  if (found == notes_.end()) return;
  Note& note = found->second;
  --note.under_way;
  note.took = note.took || holds;
  const bool took = note.took;
  if (note.under_way == 0) note.took = false;
  if (!took && note.under_way == 0) {
    if (note.slot) slots_->free(*note.slot);
    notes_.erase(found);
  } else if (holds && !note.holds) {
    set_holds(place, note, true);
  }
}

bool LockNotes::may_hold(const Place& place) const {
  MutexLock lock(mutex_);
  return notes_.contains(place);
}

std::vector<LockNotes::Place> LockNotes::all() const {
  MutexLock lock(mutex_);
  std::vector<Place> places;
  for (const auto& [place, note] : notes_) places.push_back(place);
  return places;
}

std::vector<InodeId> LockNotes::inodes() const {
  std::vector<InodeId> inodes;
  for (const Place& place : all())
    if (inodes.empty() || inodes.back() != place.inode) inodes.push_back(place.inode);
  return inodes;
}

size_t LockNotes::keep_only(InodeId inode, const std::vector<NodeLock>& held) {
  MutexLock lock(mutex_);
  size_t lost = 0;
  for (auto at = notes_.lower_bound(Place{inode, LockKind::kPosix, 0});
       at != notes_.end() && at->first.inode == inode;) {
    const Place& place = at->first;
    const bool holds = std::any_of(held.begin(), held.end(), [&](const NodeLock& one) {
      return one.kind == place.kind && one.owner == place.owner;
    });
    if (!holds && at->second.holds) ++lost;
    if (holds || at->second.under_way > 0) {
      if (holds != at->second.holds) set_holds(place, at->second, holds);
      ++at;
      continue;
    }
    if (at->second.slot) slots_->free(*at->second.slot);
    at = notes_.erase(at);
  }
  return lost;
}

}  // namespace weir::vfs
