#pragma once

#include "meta/claim.h"
#include "meta/content_change.h"
#include "meta/run_transaction.h"

/// The parts of a publish. Internal.
namespace weir::meta {

/// Puts the inode with the new content (`pages` when it has that form) and the attributes, and queues what of the old
/// content is not part of the new one. The inode as it is then. Requires: the transaction validates `base`.
Result<Inode> switch_content(Volume& volume, kv::Transaction& transaction, const Inode& base,
                             const WholeContent& content, std::vector<PageId> pages, const AttributeChange& attributes);

/// Others may have gone on without this node while they found it dead: what it began before does not win over what they
/// did meanwhile. Fenced then.
Status check_not_fenced(const Attempt& attempt, const Publish& change, const Inode& base);

/// The result of a publish that an earlier life of this node did.
Result<Published> rebuild_published(Volume& volume, const Publish& change, const Offer& offer);

/// Content in pages: prepared in several transactions, then switched to in one. Nothing when the content turns out to
/// need none, because the inode was changed meanwhile; nothing was published then.
Result<std::optional<Published>> publish_pages(Volume& volume, RequestId request, const Publish& change,
                                               const Offer& offer);

}  // namespace weir::meta
