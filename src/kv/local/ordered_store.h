#pragma once

#include "kv/engine.h"
#include "kv/write_set.h"

namespace weir::kv {

/// The map below an engine of one process: versioned values, without transactions. LocalEngine makes an Engine of it.
/// Thread-safe; write() and reserve_versions() are called by one thread at a time. Every method may block on disk.
class OrderedStore {
 public:
  virtual ~OrderedStore() = default;
  /// Nothing when the key is absent.
  virtual Result<std::optional<Value>> get(std::string_view key) = 0;
  /// In the order of `keys`.
  virtual Result<std::vector<std::optional<Value>>> get_many(const std::vector<Bytes>& keys) = 0;
  /// As Transaction::scan, of one moment.
  virtual Result<std::vector<KeyValue>> scan(const KeyRange& range, size_t limit, bool reverse) = 0;
  /// All or nothing, also when the process dies; afterwards every put key has `version`. An error means: nothing.
  virtual Status write(const WriteSet& writes, Version version) = 0;
  /// The first of `count` versions above all that were ever given out, whatever the disk forgets in a power loss. Not
  /// 0.
  virtual Result<Version> reserve_versions(uint64_t count) = 0;
  /// Blocks: until all that write() has returned survives a power loss.
  virtual Status sync() = 0;
};

}  // namespace weir::kv
