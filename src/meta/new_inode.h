#pragma once

#include "meta/names.h"
#include "meta/run_transaction.h"

namespace weir::meta {

/// Checks that need no reading.
Status check_new_inode(const NewInode& wanted);
/// The inode that `wanted` becomes in `parent`: group and setgid bit of a setgid parent, umask or default ACL applied.
/// Puts the ACL's `X` rows, not the inode itself. Internal.
Result<Inode> build_inode(kv::Transaction& transaction, const Inode& parent, InodeId id, const NewInode& wanted,
                          int64_t now_ns);

/// Replies that consist of one inode number.
Bytes encode_reply(InodeId inode);
Result<InodeId> decode_reply(std::string_view reply);

}  // namespace weir::meta
