#pragma once

#include "meta/names.h"
#include "meta/rows.h"
#include "meta/run_transaction.h"

/// What becomes of an inode that loses a name. Internal.
namespace weir::meta {

/// Takes one name away from an inode that is not a directory: the rest of its names keep it; without any it becomes an
/// orphan while open on this node, and is erased otherwise.
Result<Removed> drop_link(Volume& volume, Attempt& attempt, Inode inode, const IsOpen& is_open, int64_t now_ns);
/// Takes the name away from a directory; NotEmpty unless it is empty. Fences it: no name can be made in it meanwhile.
Result<Removed> drop_directory(Volume& volume, Attempt& attempt, InodeId directory, const IsOpen& is_open,
                               int64_t now_ns);
/// Erases the inode with its attributes and queues its content.
Status erase_inode(Volume& volume, kv::Transaction& transaction, const Inode& inode);
/// The references and pages of an inode's content, as the queue entry that gives them up.
QueueRow whole_content(const Inode& inode);
/// Queues what is in `row`, if anything, for after the grace (or at once).
Status queue_content(Volume& volume, kv::Transaction& transaction, const QueueRow& row, bool at_once = false);
/// The time a queue entry is due, for keys::queue().
uint64_t due_ms(Volume& volume, bool at_once);

Bytes encode_reply(const Removed& removed);
/// What the earlier life removed, as it is now.
Result<Removed> rebuild_removed(Volume& volume, Decoder& reply);

}  // namespace weir::meta
