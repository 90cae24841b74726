#include "base/slot_table.h"

#include <algorithm>

#include "base/check.h"

namespace weir {

SlotTable::SlotTable(std::span<SharedSlot> slots) : slots_(slots) {
  // A generation above 0 tells a slot that was used once from one whose page was never touched.
  uint32_t end = 0;
  for (uint32_t index = 0; index < slots_.size(); ++index) {
    if (slots_[index].generation == 0) break;
    end = index + 1;
    if (slots_[index].in_use.load(std::memory_order_acquire) != 0) {
      ++in_use_;
    } else {
      freed_.push_back(index);
    }
  }
  untouched_ = end;
  std::make_heap(freed_.begin(), freed_.end(), std::greater<>());
}

std::optional<SlotId> SlotTable::allocate() {
  MutexLock lock(mutex_);
  uint32_t index = 0;
  if (!freed_.empty()) {
    std::pop_heap(freed_.begin(), freed_.end(), std::greater<>());
    index = freed_.back();
    freed_.pop_back();
  } else if (untouched_ < slots_.size()) {
    index = untouched_++;
  } else {
    return std::nullopt;
  }
  ++in_use_;
  SharedSlot& slot = slots_[index];
  slot.payload.fill(std::byte{0});
  if (++slot.generation == 0) slot.generation = 1;
  slot.in_use.store(1, std::memory_order_release);
  return SlotId{index, slot.generation};
}

void SlotTable::free(SlotId id) {
  MutexLock lock(mutex_);
  CHECK(find(id) != nullptr);
  slots_[id.index].in_use.store(0, std::memory_order_release);
  freed_.push_back(id.index);
  std::push_heap(freed_.begin(), freed_.end(), std::greater<>());
  --in_use_;
}

SharedSlot* SlotTable::find(SlotId id) const {
  if (id.index >= slots_.size()) return nullptr;
  SharedSlot& slot = slots_[id.index];
  const bool allocated = slot.in_use.load(std::memory_order_acquire) != 0 && slot.generation == id.generation;
  return allocated ? &slot : nullptr;
}

void SlotTable::for_each(const std::function<void(SlotId, SharedSlot&)>& visit) const {
  uint32_t end = 0;
  {
    MutexLock lock(mutex_);
    end = untouched_;
  }
  for (uint32_t index = 0; index < end; ++index) {
    SharedSlot& slot = slots_[index];
    if (slot.in_use.load(std::memory_order_acquire) != 0) visit({index, slot.generation}, slot);
  }
}

uint32_t SlotTable::in_use() const {
  MutexLock lock(mutex_);
  return in_use_;
}

}  // namespace weir
