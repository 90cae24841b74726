#pragma once

#include <functional>
#include <map>

#include "kv/engine.h"
#include "kv/write_set.h"

namespace weir::kv {

/// What a transaction read, in the order of keys, so that every engine validates the same keys. Not thread-safe.
class ReadSet {
 public:
  struct Seen {
    Version version = 0;
    /// The key had `version` when all commits up to this one were visible. 0: not known.
    Version seen_at = 0;
    /// From expect(): validated whatever the transaction writes.
    bool expected = false;
  };
  using Map = std::map<Bytes, Seen, std::less<>>;

  void saw(std::string_view key, Version version, Version seen_at);
  void expect(std::string_view key, Version version);

  /// True when one key was seen in two states: no commit can be right any more.
  bool contradictory() const { return contradictory_; }
  const Map& seen() const { return seen_; }
  /// Whether the contract of Transaction has `seen` checked at commit.
  static bool validated(const Map::value_type& seen, const WriteSet& writes) {
    return seen.second.version != 0 || seen.second.expected || writes.contains(seen.first);
  }

 private:
  Map seen_;
  bool contradictory_ = false;
};

}  // namespace weir::kv
