#pragma once

#include "meta/attributes.h"
#include "meta/run_transaction.h"

namespace weir::meta {

/// Applies `change` to an inode that the transaction has read, and its access ACL to a new mode. Does not put the
/// inode. Internal.
Status change_attributes(kv::Transaction& transaction, Inode& inode, const AttributeChange& change, int64_t now_ns);

}  // namespace weir::meta
