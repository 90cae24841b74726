#pragma once

#include <optional>

#include "base/clock.h"
#include "base/recent_table.h"
#include "kv/read_set.h"
#include "kv/rows.h"
#include "kv/write_set.h"

namespace weir::kv {

/// What an engine's transactions read and wrote a moment ago, for Transaction::recall(). Rows may have changed since:
/// what is recalled must be validated at commit. Bounded by limits.h. Thread-safe; never blocks.
class RecalledRows {
 public:
  /// Requires: `clock` outlives this.
  RecalledRows(Clock& clock, int64_t kept_ms);

  /// The answer to the batch, and into `reads` all of it as expected. Nothing: a row of it is not known, or it scans.
  std::optional<ReadAnswer> recall(const ReadBatch& batch, ReadSet& reads) const;

  void was_read(const ReadBatch& batch, const ReadAnswer& answer);
  void was_committed(const WriteSet& writes, Version version);
  /// A commit failed: something of this is out of date, or may be.
  void forget(const ReadSet& reads, const WriteSet& writes);

 private:
  using Row = std::optional<Value>;  // nothing: absent

  void note(std::string_view key, const Row& row);

  RecentTable<Bytes, Row> rows_;
};

}  // namespace weir::kv
