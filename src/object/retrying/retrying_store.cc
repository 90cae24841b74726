#include "object/retrying/retrying_store.h"

#include <algorithm>

#include "base/limits.h"
#include "base/log.h"

namespace weir::object {

void RetryingStore::wait_before(int attempt) {
  int64_t whole_ms = limits::kStoreRetryDelayMs;
  for (int i = 1; i < attempt; ++i) whole_ms = std::min(whole_ms * 2, limits::kStoreRetryDelayMaxMs);
  int64_t half_ms = whole_ms / 2;
  clock_.sleep_ms(half_ms + static_cast<int64_t>(random_.below(static_cast<uint64_t>(half_ms + 1))));
}

template <class Run>
auto RetryingStore::retry(std::string_view action, std::string_view name, Run run) -> decltype(run()) {
  auto result = run();
  for (int attempt = 1; attempt < limits::kStoreAttempts && !result; ++attempt) {
    Code code = result.error().code;
    if (code != Code::kUnavailable && code != Code::kTimeout) break;
    if (attempt == 1) log::warning("{} {} is tried again: {}", action, name, result.error().what);
    wait_before(attempt);
    result = run();
  }
  return result;
}

Result<size_t> RetryingStore::get_into(std::string_view name, uint64_t offset, std::span<char> buffer) {
  return retry("get", name, [&] { return store_.get_into(name, offset, buffer); });
}

Status RetryingStore::put(std::string_view name, std::string_view bytes) {
  return retry("put", name, [&] { return store_.put(name, bytes); });
}

Result<std::optional<ObjectInfo>> RetryingStore::head(std::string_view name) {
  return retry("head", name, [&] { return store_.head(name); });
}

Result<ListPage> RetryingStore::list(std::string_view prefix, std::string_view after, size_t limit) {
  return retry("list", prefix, [&] { return store_.list(prefix, after, limit); });
}

Status RetryingStore::remove(std::string_view name) {
  return retry("remove", name, [&] { return store_.remove(name); });
}

}  // namespace weir::object
