#include "vfs/small_bytes.h"

#include <algorithm>
#include <cstring>

#include "base/check.h"
#include "base/limits.h"

namespace weir::vfs {

void SmallBytes::resize(size_t size) {
  CHECK(size <= limits::kSmallContentBytes);
  if (!slot_ && heap_.empty() && size > 0) slot_ = memory_.contents().allocate();
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
  if (slot_) memory_.contents().free(*slot_);
  slot_.reset();
  heap_ = Bytes();
  size_ = 0;
}

void SmallBytes::note(const SmallDraftRecord& record) {
  if (!slot_) return;
  memory_.contents().find(*slot_)->as<SmallDraftRecord>() = record;
}

}  // namespace weir::vfs
