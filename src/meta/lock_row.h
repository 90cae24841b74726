#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "model/lock.h"

namespace weir::meta {

struct LockWaiter {
  NodeLock wanted;
  uint64_t request = 0;  // of the node: what it waits with
  bool is_of(NodeId node, uint64_t of_request) const { return wanted.node == node && request == of_request; }
  bool operator==(const LockWaiter&) const = default;
};

/// Everything that is locked of one inode, and who waits, in order of arrival: what its `K` rows say
/// (docs/data-model.md, "Locks"). Pure.
struct LockRow {
  std::vector<NodeLock> held;
  std::vector<LockWaiter> waiting;

  bool empty() const { return held.empty() && waiting.empty(); }
  size_t size() const { return held.size() + waiting.size(); }
  /// The first lock of another owner that excludes `wanted`; null: it can be had.
  const NodeLock* conflict_with(const NodeLock& wanted) const;
  /// The owner takes, changes, splits, merges or (kNone) releases. Requires: no conflict.
  void apply(const NodeLock& wanted);
  /// The owner has every byte of it, at least so.
  bool covers(const NodeLock& wanted) const;
  bool holds_any(NodeId node, LockKind kind, uint64_t owner) const;
  const LockWaiter* waiter(NodeId node, uint64_t request) const;
  bool remove_waiter(NodeId node, uint64_t request);
  bool release_owner(NodeId node, LockKind kind, uint64_t owner);
  /// Gives waiters whose way is free what they wait for, in order of arrival; those are returned.
  std::vector<LockWaiter> grant();

  /// Values of parts 0, 1, … of at most limits::kLockPartBytes each; none when there is nothing. `stamp` tells this
  /// state's parts from those of any other.
  std::vector<Bytes> encode(uint64_t stamp) const;
  /// How many parts there are, from part 0. Corrupt.
  static Result<uint32_t> count_parts(std::string_view first_part);
  /// Of all parts in order. Conflict when they are not of one state; Corrupt.
  static Result<LockRow> decode(const std::vector<std::string_view>& parts);
};

}  // namespace weir::meta
