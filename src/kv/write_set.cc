#include "kv/write_set.h"

#include "base/limits.h"

namespace weir::kv {

void WriteSet::put(std::string_view key, std::string_view bytes) {
  auto place = writes_.lower_bound(key);
  if (place != writes_.end() && place->first == key)
    place->second.emplace(bytes);
  else
    writes_.emplace_hint(place, Bytes(key), Bytes(bytes));
}

void WriteSet::erase(std::string_view key) {
  auto place = writes_.lower_bound(key);
  if (place != writes_.end() && place->first == key)
    place->second.reset();
  else
    writes_.emplace_hint(place, Bytes(key), std::nullopt);
}

Status WriteSet::check_limits() const {
  size_t total = 0;
  for (const auto& [key, bytes] : writes_) {
    size_t value_bytes = bytes ? bytes->size() : 0;
    if (key.size() > limits::kKeyBytes)
      return error(Code::kTooLarge, "key of {} bytes; an engine takes {}", key.size(), limits::kKeyBytes);
    if (value_bytes > limits::kValueBytes)
      return error(Code::kTooLarge, "value of {} bytes; an engine takes {}", value_bytes, limits::kValueBytes);
    total += key.size() + value_bytes;
  }
  if (total > limits::kTransactionBytes)
    return error(Code::kTooLarge, "transaction of {} bytes; an engine takes {}", total, limits::kTransactionBytes);
  return {};
}

}  // namespace weir::kv
