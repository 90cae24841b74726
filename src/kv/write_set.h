#pragma once

#include <functional>
#include <map>
#include <optional>

#include "base/bytes.h"
#include "base/result.h"

namespace weir::kv {

/// The puts and erases that a transaction has buffered, in the order of keys; of several for one key the last counts.
/// Not thread-safe.
class WriteSet {
 public:
  /// Nothing as value: erase.
  using Map = std::map<Bytes, std::optional<Bytes>, std::less<>>;

  void put(std::string_view key, std::string_view bytes);
  void erase(std::string_view key);

  bool empty() const { return writes_.empty(); }
  bool contains(std::string_view key) const { return writes_.find(key) != writes_.end(); }
  const Map& writes() const { return writes_; }
  /// TooLarge when a key, a value or the whole is above limits.h.
  Status check_limits() const;

 private:
  Map writes_;
};

}  // namespace weir::kv
