#pragma once

#include <array>
#include <atomic>
#include <memory>
#include <optional>
#include <unordered_map>
#include <vector>

#include "base/mutex.h"
#include "base/slot_table.h"
#include "vfs/file.h"
#include "vfs/shared_records.h"
#include "vfs/types.h"

namespace weir::vfs {

/// One open(2) of a file.
struct Handle {
  explicit Handle(FileRef of) : file(of.shared()), use(std::move(of)) {}

  // Calls that are under way when it is closed go on with this; a kernel that works has none.
  const std::shared_ptr<File> file;
  FileRef use;  // taken away by who closes it
  int flags = 0;
  OpenMode mode = OpenMode::kCached;
  uint16_t epoch = 0;                 // of the node id through which it was opened
  std::atomic<bool> settled = false;  // the kernel has taken the answer to its open
  /// Whose fcntl locks were taken through it. Closing a descriptor names the process, and ends its locks; what is left
  /// when the last one is closed belongs to the open file itself (F_OFD_SETLK), which nobody names.
  Mutex lock_owners_mutex;
  std::vector<uint64_t> lock_owners GUARDED_BY(lock_owners_mutex);
  bool executes() const;
  bool readable() const;
  bool writable() const;
};

/// Handles by number. Numbers are never used twice. What a successor needs of them lies in slots of the shared memory
/// file; handles beyond its capacity have none. Thread-safe; never blocks.
template <class T>
class HandleTable {
 public:
  explicit HandleTable(SlotTable& slots) : slots_(slots) {}

  HandleId add(std::shared_ptr<T> handle, const HandleRecord& record) {
    auto slot = slots_.allocate();
    if (slot) write_record(slots_.find(*slot)->template as<HandleRecord>(), record);
    HandleId id = slot ? slot->number() : kWithoutSlot | ++last_;
    Shard& shard = shard_of(id);
    MutexLock lock(shard.mutex);
    shard.handles.emplace(id, std::move(handle));
    return id;
  }
  /// Goes on with a predecessor's handle.
  void restore(SlotId slot, std::shared_ptr<T> handle, const HandleRecord& record) {
    const HandleId id = slot.number();
    {
      Shard& shard = shard_of(id);
      MutexLock lock(shard.mutex);
      shard.handles.emplace(id, std::move(handle));
    }
    if (record.request == 0) return;
    MutexLock lock(restored_mutex_);
    restored_[record.request] = id;
    any_restored_ = true;
  }
  /// The handle that a predecessor made for this request of the kernel, if it is still open: then the request is done,
  /// and only its answer was lost.
  std::optional<HandleId> of_request(uint64_t request) {
    if (!any_restored_) return std::nullopt;
    MutexLock lock(restored_mutex_);
    auto found = restored_.find(request);
    if (found == restored_.end() || !find(found->second)) return std::nullopt;
    return found->second;
  }
  /// Notes for a successor whose locks end with the handle; 0: nobody's. Requires: the handle is not removed meanwhile.
  void note_lock_owner(HandleId id, uint64_t owner) {
    if ((id & kWithoutSlot) != 0) return;
    if (SharedSlot* slot = slots_.find(SlotId::from_number(id))) slot->template as<HandleRecord>().lock_owner = owner;
  }
  /// BadHandle when unknown.
  Result<std::shared_ptr<T>> find(HandleId id) {
    Shard& shard = shard_of(id);
    MutexLock lock(shard.mutex);
    auto found = shard.handles.find(id);
    if (found == shard.handles.end()) return error(Code::kBadHandle, "handle {} is not open", id);
    return found->second;
  }
  /// Null when unknown.
  std::shared_ptr<T> remove(HandleId id) {
    Shard& shard = shard_of(id);
    MutexLock lock(shard.mutex);
    auto found = shard.handles.find(id);
    if (found == shard.handles.end()) return nullptr;
    auto handle = std::move(found->second);
    shard.handles.erase(found);
    if ((id & kWithoutSlot) == 0) slots_.free(SlotId::from_number(id));
    return handle;
  }
  size_t size() const {
    size_t total = 0;
    for (const Shard& shard : shards_) {
      MutexLock lock(shard.mutex);
      total += shard.handles.size();
    }
    return total;
  }

 private:
  struct Shard {
    mutable Mutex mutex;
    std::unordered_map<HandleId, std::shared_ptr<T>> handles GUARDED_BY(mutex);
  };
  static constexpr HandleId kWithoutSlot = HandleId{1} << 63;
  Shard& shard_of(HandleId id) { return shards_[id % shards_.size()]; }

  SlotTable& slots_;
  std::atomic<HandleId> last_ = 0;
  std::atomic<bool> any_restored_ = false;
  Mutex restored_mutex_;
  std::unordered_map<uint64_t, HandleId> restored_ GUARDED_BY(restored_mutex_);  // by request
  std::array<Shard, 16> shards_;
};

}  // namespace weir::vfs
