#include "vfs/small_bytes.h"

#include <algorithm>
#include <cstring>

#include "base/check.h"
#include "base/limits.h"

namespace weir::vfs {

void SmallBytes::take_slot() {
  if (!slot_ && heap_.empty()) slot_ = memory_.contents().allocate();
}

void SmallBytes::resize(size_t size) {
  CHECK(size <= limits::kSmallContentBytes);
  if (size > 0) take_slot();
  if (!slot_) heap_.resize(size, '\0');
  // A slot may still hold the bytes of an earlier owner, or of a longer content.
  if (slot_ && size > size_) std::memset(data() + size_, 0, size - size_);
  size_ = size;
}

void SmallBytes::assign(std::string_view bytes) {
  resize(bytes.size());
  std::copy(bytes.begin(), bytes.end(), data());
}

void SmallBytes::clear() {
  if (slot_) {
    if (slot_->index >= limits::kSharedContentsKept) memory_.release_content(slot_->index);
    memory_.contents().free(*slot_);
  }
  slot_.reset();
  heap_ = Bytes();
  size_ = 0;
}

bool SmallBytes::note(const SmallDraftRecord& record) {
  take_slot();
  if (!slot_) return false;
  auto& place = memory_.contents().find(*slot_)->as<SmallDraftRecord>();
  place.inode = record.inode;
  place.base_generation = record.base_generation;
  place.size = record.size;
  place.mtime_ns = record.mtime_ns;
  // Last: it is what makes the record count.
  std::atomic_signal_fence(std::memory_order_seq_cst);
  place.changed = record.changed;
  return true;
}

void SmallBytes::restore(SlotId slot, size_t size) {
  CHECK(!slot_ && heap_.empty() && size <= limits::kSmallContentBytes);
  slot_ = slot;
  size_ = size;
}

}  // namespace weir::vfs
