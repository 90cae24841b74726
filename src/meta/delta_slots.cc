#include "meta/delta_slots.h"

#include "base/limits.h"

namespace weir::meta {

std::optional<DeltaSlots::Mask> DeltaSlots::known(InodeId directory) const {
  MutexLock lock(mutex_);
  const auto found = entries_.find(directory.value);
  if (found == entries_.end() || !found->second.complete) return std::nullopt;
  return found->second.mask;
}

DeltaSlots::Ticket DeltaSlots::begin(InodeId directory) {
  MutexLock lock(mutex_);
  if (entries_.size() >= limits::kDeltaDirectories) entries_.clear();
  Entry& entry = entries_[directory.value];
  entry.ticket = ++last_ticket_;
  return entry.ticket;
}

void DeltaSlots::learned(InodeId directory, Ticket ticket, Mask found) {
  MutexLock lock(mutex_);
  const auto entry = entries_.find(directory.value);
  // Of another ticket: it was forgotten or is learned anew, and may have missed a note that this scan missed too.
  if (entry == entries_.end() || entry->second.ticket != ticket) return;
  entry->second.mask |= found;
  entry->second.complete = true;
}

void DeltaSlots::note(InodeId directory, uint32_t slot) {
  MutexLock lock(mutex_);
  const auto found = entries_.find(directory.value);
  if (found != entries_.end()) found->second.mask |= Mask{1} << slot;
}

}  // namespace weir::meta
