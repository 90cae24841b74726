#pragma once

#include <optional>

#include "kv/engine.h"
#include "meta/run_transaction.h"
#include "meta/volume.h"
#include "model/records.h"

/// Directories as other operations see them: an `I` row, and `T` rows of what was done in them since. Internal.
namespace weir::meta {

/// The inode of a row that was read; NotFound when the row is absent.
Result<Inode> decode_inode(InodeId id, const std::optional<kv::Value>& value);
/// Validated by the transaction.
Result<Inode> read_inode(kv::Transaction& transaction, InodeId id);

/// A directory in which an operation makes or removes names. The operation validates its inode, so that it cannot be
/// removed meanwhile, and writes only the delta of its own slot, so that many can work in one directory.
class Parent {
 public:
  /// The rows to read for it.
  static Bytes inode_key(InodeId directory);
  static Bytes delta_key(const Volume& volume, const Attempt& attempt, InodeId directory);
  /// NotFound when it is gone or was removed; NotDirectory.
  static Result<Parent> decode(InodeId directory, const std::optional<kv::Value>& inode,
                               const std::optional<kv::Value>& delta);
  /// Reads both.
  static Result<Parent> read(const Volume& volume, Attempt& attempt, InodeId directory);

  const Inode& inode() const { return inode_; }
  /// Counts a change of `entries` names, `subdirectories` of which are directories, at `now_ns`.
  void change(int64_t entries, int64_t subdirectories, int64_t now_ns);
  void write(const Volume& volume, Attempt& attempt) const;

 private:
  Inode inode_;
  DirectoryDelta delta_;
};

/// A directory's inode with its deltas added, other inodes as they are. Requires: `inode` was read before, so that the
/// sum is not older than it. What this transaction has put is not in the sum, and nothing of it is validated.
Result<Inode> fold_deltas(Volume& volume, Inode inode);

/// For callers that read the deltas of directories along with other rows, where that costs less (shared engines): what
/// to scan, and the sum as fold_deltas() makes it, from that scan where it saw all.
kv::ReadBatch::Scan scan_of_deltas(InodeId directory);
Result<Inode> fold_deltas(Volume& volume, Inode inode, const std::vector<kv::KeyValue>& rows);
/// The sum from all rows.
Result<Inode> fold_rows(Inode inode, const std::vector<kv::KeyValue>& rows);
/// fold_deltas() of many, in few round trips.
Status fold_all_deltas(Volume& volume, const std::vector<Inode*>& inodes);

}  // namespace weir::meta
