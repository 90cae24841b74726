#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "base/mutex.h"
#include "base/shared_layout.h"

namespace weir {

/// Names a slot for as long as it is allocated: a freed and reused slot has another generation. As a number it is what
/// the kernel gets for a file handle; never 0.
struct SlotId {
  uint32_t index = 0;
  uint32_t generation = 0;

  uint64_t number() const { return uint64_t{generation} << 32 | index; }
  static SlotId from_number(uint64_t number) {
    return {static_cast<uint32_t>(number), static_cast<uint32_t>(number >> 32)};
  }
  bool operator==(const SlotId&) const = default;
};

/// Allocates the slots of a table in shared memory. What is in use is known from the shared memory alone, so a
/// successor finds it again; the list of free slots is this process's. Thread-safe; never blocks for long.
class SlotTable {
 public:
  /// Takes what is in use from the slots. Borrows them.
  explicit SlotTable(std::span<SharedSlot> slots);

  /// A slot with a payload of zeros; lowest index first, so that few pages are touched. None when all are in use.
  std::optional<SlotId> allocate();
  /// Requires: `id` is allocated.
  void free(SlotId id);
  /// The slot, or nullptr when `id` does not name one that is allocated (a stale or invented handle).
  SharedSlot* find(SlotId id) const;
  /// Calls `visit` with each slot that is in use, in order of index. Requires: nobody allocates or frees meanwhile.
  void for_each(const std::function<void(SlotId, SharedSlot&)>& visit) const;

  uint32_t in_use() const;
  uint32_t capacity() const { return static_cast<uint32_t>(slots_.size()); }

 private:
  const std::span<SharedSlot> slots_;
  mutable Mutex mutex_;
  std::vector<uint32_t> freed_ GUARDED_BY(mutex_);  // a heap, lowest on top
  uint32_t untouched_ GUARDED_BY(mutex_) = 0;       // slots from here on were never used
  uint32_t in_use_ GUARDED_BY(mutex_) = 0;
};

}  // namespace weir
