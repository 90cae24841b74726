#pragma once

#include "base/result.h"
#include "vfs/types.h"

namespace weir::vfs {

/// fcntl (POSIX and OFD) and flock locks, as a kernel asks for them. Implementations: LockTable, among the processes of
/// this node; SharedLocks, among all nodes. Thread-safe.
class Locks {
 public:
  virtual ~Locks() = default;
  /// The first lock that conflicts with `wanted`, of another node with pid 0; or one of type kNone.
  virtual Result<Lock> conflicting(InodeId inode, const Lock& wanted) = 0;
  /// Takes, changes, splits, merges or (kNone) releases. `done`: granted; WouldBlock (without `wait`); Deadlock when
  /// waiting would close a circle of POSIX lock owners; NoLocks when a file has too many. `request` names the wait for
  /// interrupt(): no two that wait have the same. `done` is called from any thread, also before this returns.
  virtual void set(InodeId inode, const Lock& wanted, bool wait, uint64_t request, LockDone done) = 0;
  /// Ends a wait with Interrupted, unless it is granted meanwhile. Nothing if it does not wait (any more).
  virtual void interrupt(uint64_t request) = 0;
  /// What the kernel means by closing: all locks of the owner on the inode go.
  virtual void release_owner(InodeId inode, LockKind kind, uint64_t owner) = 0;
  /// False: the owner has none on the inode.
  virtual bool may_hold(InodeId inode, LockKind kind, uint64_t owner) const = 0;
  /// Other nodes see these locks: what was written under one is published before it is given up, in part as well.
  virtual bool are_shared() const = 0;
};

}  // namespace weir::vfs
