#pragma once

#include "base/clock.h"
#include "base/random.h"
#include "object/object_store.h"

namespace weir::object {

/// Any store, with each operation tried again while it is Unavailable or times out: limits::kStoreAttempts times in
/// all, after waits that double and are drawn from [half, whole] so that many nodes do not come back together. The
/// first failure of an operation is logged, the last one returned. Every operation may be done twice, which is
/// harmless.
class RetryingStore : public ObjectStore {
 public:
  /// Requires: `store`, `clock` and `random` outlive this; `random` is safe for several threads.
  RetryingStore(ObjectStore& store, Clock& clock, Random& random) : store_(store), clock_(clock), random_(random) {}

  Result<size_t> get_into(std::string_view name, uint64_t offset, std::span<char> buffer) override;
  Status put(std::string_view name, std::string_view bytes) override;
  Result<std::optional<ObjectInfo>> head(std::string_view name) override;
  Result<ListPage> list(std::string_view prefix, std::string_view after, size_t limit) override;
  Status remove(std::string_view name) override;
  std::string describe() const override { return store_.describe(); }

 private:
  template <class Run>
  auto retry(std::string_view action, std::string_view name, Run run) -> decltype(run());
  /// Blocks: for the wait before attempt number `attempt` (from 1).
  void wait_before(int attempt);

  ObjectStore& store_;
  Clock& clock_;
  Random& random_;
};

}  // namespace weir::object
