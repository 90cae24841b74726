#pragma once

#include <cstdint>

#include "model/ids.h"

namespace weir {

enum class LockType : uint8_t { kRead, kWrite, kNone };
enum class LockKind : uint8_t { kPosix, kFlock };  // fcntl (POSIX and OFD) by ranges, flock whole

/// What one owner has locked of a file, or wants to.
struct Lock {
  LockKind kind = LockKind::kPosix;
  LockType type = LockType::kNone;
  uint64_t owner = 0;  // as the kernel names it
  uint64_t first = 0;
  uint64_t last = 0;  // inclusive; UINT64_MAX>>1 (OFFSET_MAX) or above: to the end
  uint32_t pid = 0;   // 0: of another node
  bool operator==(const Lock&) const = default;
};

/// The same among nodes: the kernels of two may name two owners alike.
struct NodeLock : Lock {
  NodeId node;
  uint64_t epoch = 0;  // of the node, when it was taken: goes with it
  bool operator==(const NodeLock&) const = default;
  bool is_of(NodeId of_node, LockKind of_kind, uint64_t of_owner) const {
    return node == of_node && kind == of_kind && owner == of_owner;
  }
};

inline bool overlap(const Lock& a, const Lock& b) { return a.first <= b.last && b.first <= a.last; }
/// Without a gap between them.
inline bool touch(const Lock& a, const Lock& b) {
  return (a.first == 0 || a.first - 1 <= b.last) && (b.first == 0 || b.first - 1 <= a.last);
}
/// Of two owners.
inline bool exclude(const Lock& held, const Lock& wanted) {
  if (held.kind != wanted.kind || held.type == LockType::kNone || wanted.type == LockType::kNone) return false;
  if (held.type == LockType::kRead && wanted.type == LockType::kRead) return false;
  return overlap(held, wanted);
}

}  // namespace weir
