#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "base/bytes.h"

/// What an engine's map consists of, and what a reader asks of it.
namespace weir::kv {

/// Identifies one state of one key. Never used twice in the life of a database, so that a key which went away and came
/// back does not look unchanged. 0 is the version of an absent key.
using Version = uint64_t;

struct Value {
  Bytes bytes;
  Version version = 0;
};

struct KeyValue {
  Bytes key;
  Bytes bytes;
  Version version = 0;
};

/// Half-open range of keys in byte order. Empty `end` means: to the last key.
struct KeyRange {
  Bytes begin;
  Bytes end;
  /// All keys that start with `prefix`.
  static KeyRange prefix(std::string_view prefix);
};

/// All that one round trip shall read.
struct ReadBatch {
  /// The row whose key another row's value has in it: `prefix`, then the `length` bytes at `offset` of the value of
  /// keys[from].
  struct Link {
    size_t from = 0;
    size_t offset = 0;
    size_t length = 0;
    Bytes prefix{};
  };
  /// As Transaction::scan().
  struct Scan {
    KeyRange range;
    size_t limit = 0;
    bool reverse = false;
  };
  std::vector<Bytes> keys{};
  std::vector<Link> links{};
  std::vector<Scan> scans{};
};

/// What was there, in the order in which the batch named it.
struct ReadAnswer {
  std::vector<std::optional<Value>> values{};  // of keys; nothing: absent
  std::vector<std::optional<Value>> linked{};  // nothing also when the row that would name it is absent or too short
  std::vector<std::vector<KeyValue>> scans{};
};

/// The key that `link` leads to; nothing when the naming row is absent or too short.
std::optional<Bytes> linked_key(const ReadBatch::Link& link, const std::optional<Value>& from);

}  // namespace weir::kv
