#pragma once

#include <cstdint>
#include <optional>
#include <unordered_map>

#include "base/mutex.h"
#include "model/ids.h"

namespace weir::meta {

/// Which slots of this node have a `T` row of a directory, so that they can be read by their keys: a scan for them
/// costs ten times as much as the rows, and every change of a directory makes the kernel ask for its attributes anew.
/// Only for an engine that one process has to itself, where every row is of this node. Remembers directories up to a
/// bound, the ones it learned last. Thread-safe.
class DeltaSlots {
 public:
  /// One bit a slot.
  using Mask = uint64_t;
  /// Which learning of a directory this is.
  using Ticket = uint64_t;

  /// Every slot with a row, perhaps some without. Nothing: scan, between begin() and learned().
  std::optional<Mask> known(InodeId directory) const;
  /// Before the scan: what note() hears from now on counts as well.
  Ticket begin(InodeId directory);
  /// `found` is what the scan showed.
  void learned(InodeId directory, Ticket ticket, Mask found);
  /// `slot` may have a row now. Called after the commit, and before its caller hears of it.
  void note(InodeId directory, uint32_t slot);

 private:
  struct Entry {
    Mask mask = 0;
    Ticket ticket = 0;
    bool complete = false;
  };

  mutable Mutex mutex_;
  std::unordered_map<uint64_t, Entry> entries_ GUARDED_BY(mutex_);
  Ticket last_ticket_ GUARDED_BY(mutex_) = 0;
};

}  // namespace weir::meta
