#pragma once

#include <functional>
#include <optional>
#include <vector>

#include "meta/lock_row.h"
#include "meta/locks.h"
#include "meta/run_transaction.h"

/// Reading and writing `K` rows. Internal.
namespace weir::meta {

/// One inode's table inside a transaction.
struct LockTableRead {
  LockRow row;
  uint32_t parts = 0;  // as they lie there
};

/// Validated by the commit, as everything that is got. `first_part` as get() has it.
Result<LockTableRead> read_lock_table(kv::Transaction& transaction, InodeId inode,
                                      const std::optional<kv::Value>& first_part);
void write_lock_table(Volume& volume, kv::Transaction& transaction, InodeId inode, const LockTableRead& before,
                      const LockRow& row);

/// Runs `change` on the table until it is written, or `change` fails. What leaves it as it was is not written. With
/// `with_inode` the inode is read too, in the same round trip.
struct LocksAttempt {
  LockRow& row;
  const std::optional<Inode>& inode;
  uint64_t epoch = 0;  // of this node
};
using ChangeLocks = std::function<Status(const LocksAttempt&)>;
Status change_locks(Volume& volume, InodeId inode, bool with_inode, const ChangeLocks& change);

std::vector<LockGrant> grants_of(InodeId inode, const std::vector<LockWaiter>& waiters);

}  // namespace weir::meta
