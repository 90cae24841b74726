#pragma once

#include <map>

#include "base/clock.h"
#include "base/mutex.h"
#include "object/object_store.h"

namespace weir::object {

/// Objects in this process, gone with it. For tests; no faults of its own (faulty/ adds them).
class MemoryStore : public ObjectStore {
 public:
  /// Requires: `clock` outlives the store.
  explicit MemoryStore(const Clock& clock) : clock_(clock) {}

  Result<size_t> get_into(std::string_view name, uint64_t offset, std::span<char> buffer) override;
  Status put(std::string_view name, const Payload& payload) override;
  Result<bool> checks_digests() override { return true; }
  Result<std::optional<ObjectInfo>> head(std::string_view name) override;
  Result<ListPage> list(std::string_view prefix, std::string_view after, size_t limit) override;
  Status remove(std::string_view name) override;
  Status remove_all(std::span<const std::string> names) override;
  std::string describe() const override { return "memory"; }

 private:
  struct Object {
    Bytes bytes;
    int64_t modified_ns = 0;
  };

  const Clock& clock_;
  Mutex mutex_;
  std::map<std::string, Object, std::less<>> objects_ GUARDED_BY(mutex_);
};

}  // namespace weir::object
