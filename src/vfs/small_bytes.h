#pragma once

#include <optional>
#include <span>
#include <string_view>

#include "base/bytes.h"
#include "base/shared_memory.h"
#include "vfs/shared_records.h"

namespace weir::vfs {

/// At most limits::kSmallContentBytes of unpublished content: in a slot of the shared memory file, or, when all slots
/// are taken, on the heap. Thread rule: one thread at a time.
class SmallBytes {
 public:
  explicit SmallBytes(SharedMemory& memory) : memory_(memory) {}
  ~SmallBytes() { clear(); }
  SmallBytes(const SmallBytes&) = delete;
  SmallBytes& operator=(const SmallBytes&) = delete;

  std::string_view view() const { return {data(), size_}; }
  char* data() const { return slot_ ? memory_.content(slot_->index).data() : const_cast<char*>(heap_.data()); }
  size_t size() const { return size_; }
  /// New bytes are zeros.
  void resize(size_t size);
  void assign(std::string_view bytes);
  /// Gives the slot back.
  void clear();
  /// Tells a successor what the bytes are. False: there is no slot to tell it in.
  bool note(const SmallDraftRecord& record);
  /// Takes a predecessor's slot over, with the bytes in it. Requires: it is empty; `size` was noted.
  void restore(SlotId slot, size_t size);

 private:
  void take_slot();

  SharedMemory& memory_;
  std::optional<SlotId> slot_;
  Bytes heap_;
  size_t size_ = 0;
};

}  // namespace weir::vfs
