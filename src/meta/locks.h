#pragma once

#include <optional>
#include <vector>

#include "meta/lock_row.h"
#include "meta/volume.h"
#include "model/inode.h"

/// Locks among the nodes of a volume (docs/data-model.md, "Locks"). One inode's locks and waiters are one table, so an
/// ordinary lock is one read and one commit, and who releases grants the next in the same commit. Thread rule and
/// errors as in names.h. All of them block on the engine.
namespace weir::meta {

/// A wait that is over, since somebody gave way: its node is to be told.
struct LockGrant {
  InodeId inode;
  NodeId node;
  uint64_t request = 0;
  bool operator==(const LockGrant&) const = default;
};

enum class LockOutcome {
  kGranted,
  kWaiting,  // in the table, behind those who came before
  kRefused,  // another owner holds it
};

struct LockChange {
  LockOutcome outcome = LockOutcome::kGranted;
  bool holds_any = false;          // the owner, of that kind, from now on
  std::optional<Inode> inode;      // of a lock that is granted: as it was then; nothing when it is gone
  std::vector<LockGrant> granted;  // to others
};

/// Takes, changes or (kNone) releases. `request`: waits with it if it must, unless it waits so already. A flock that is
/// converted is given up first, also when the other cannot be had. NoLocks: the file has limits::kLocksOfFile.
Result<LockChange> set_lock(Volume& volume, InodeId inode, const NodeLock& wanted, std::optional<uint64_t> request);
/// All locks of the owner on the inode go.
Result<std::vector<LockGrant>> release_owner(Volume& volume, InodeId inode, NodeId node, LockKind kind, uint64_t owner);
/// False: nobody waits so (any more).
Result<bool> end_wait(Volume& volume, InodeId inode, NodeId node, uint64_t request);
/// If waiting for a POSIX lock would never end, as each in a circle waits for the next, one of them must give up. True:
/// it is this one, and it does not wait any more. `other`, if another has to.
struct CircleEnd {
  bool ended = false;
  std::optional<LockGrant> other;  // should look for the circle itself
};
Result<CircleEnd> end_circle(Volume& volume, InodeId inode, NodeId node, uint64_t request);

/// The tables of these inodes, in their order.
Result<std::vector<LockRow>> lock_rows(Volume& volume, const std::vector<InodeId>& inodes);
/// All tables that are not empty.
Result<std::vector<std::pair<InodeId, LockRow>>> all_lock_rows(Volume& volume);

/// What the node took and waits for in `epoch` and before goes: it is dead, or works anew. May be done by several nodes
/// at once. The waits that end so, of other nodes.
Result<std::vector<LockGrant>> release_locks_of(Volume& volume, NodeId node, uint64_t epoch);
/// The node's locks of the inode are of `epoch` from now on. Returns them: what others took away is not among them.
Result<std::vector<NodeLock>> reclaim_locks(Volume& volume, InodeId inode, NodeId node, uint64_t epoch);

}  // namespace weir::meta
