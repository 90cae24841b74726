#include <algorithm>

#include "meta/change_attributes.h"
#include "meta/content.h"
#include "meta/keys.h"
#include "meta/load_chunks.h"
#include "meta/parent.h"
#include "meta/publish_parts.h"
#include "meta/removal.h"
#include "meta/rows.h"
#include "meta/slot_pool.h"
#include "model/chunk.h"

namespace weir::meta {

namespace {

/// Chunks that the inode itself names from now on, and did not before.
std::vector<Claim> new_claims(const Inode& base, const WholeContent& content) {
  std::vector<Claim> claims = claims_of(content.chunks, content.size, 0, content.chunks.size());
  const std::vector<ChunkId> kept = distinct_chunks(base.content.chunks);
  std::erase_if(claims, [&](const Claim& claim) { return std::binary_search(kept.begin(), kept.end(), claim.id); });
  return claims;
}

struct Base {
  Inode inode;
  ChunkRows chunk_rows;  // of the chunks that the change names
};

/// In one round trip.
Result<Base> read_base(kv::Transaction& transaction, const Publish& change) {
  std::vector<ChunkId> named;
  for (const ChangedChunk& chunk : change.changes) named.push_back(chunk.id);
  named = distinct_chunks(named);
  // Of a change that may need pages these are for the steps.
  if (named.size() > limits::kInlineChunkIds) named.clear();
  std::vector<Bytes> row_keys = {keys::inode(change.inode)};
  for (const ChunkId& id : named) row_keys.push_back(keys::chunk(id));
  ASSIGN_OR_RETURN(auto values, transaction.get_many(row_keys));
  Base base;
  ASSIGN_OR_RETURN(base.inode, decode_inode(change.inode, values[0]));
  if (base.inode.type != FileType::kFile) return error(Code::kInvalid, "inode {} is not a file", change.inode.value);
  for (size_t i = 0; i < named.size(); ++i) base.chunk_rows.emplace(named[i], std::move(values[i + 1]));
  return base;
}

/// One transaction. Nothing when the content needs pages.
Result<std::optional<Published>> publish_at_once(Volume& volume, RequestId request, const Publish& change,
                                                 const Offer& offer) {
  Published published;
  bool needs_pages = false;
  auto earlier = run_transaction(volume, request, [&](Attempt& attempt) -> Status {
    ASSIGN_OR_RETURN(const Base read, read_base(attempt.transaction, change));
    const Inode& base = read.inode;
    TRY(check_not_fenced(attempt, change, base));
    std::vector<ChunkId> base_chunks;
    if (!change.replaces && !change.inline_bytes) {
      ASSIGN_OR_RETURN(base_chunks, load_chunks(attempt.transaction, base));
    }
    ASSIGN_OR_RETURN(WholeContent content, apply_change(base, base_chunks, change));
    needs_pages = content.form == Content::Form::kPages;
    if (needs_pages) return error(Code::kRange, "{} bytes need pages", content.size);

    published.to_upload.clear();
    const std::vector<Claim> claims = new_claims(base, content);
    TRY(claim_chunks(volume, attempt.transaction, claims, offer, published.to_upload, read.chunk_rows));
    const Bytes reference = ReferenceRow{base.generation + 1}.encode();
    for (const Claim& claim : claims)
      attempt.transaction.put(keys::reference(claim.id, keys::OwnerKind::kInode, base.id.value), reference);
    ASSIGN_OR_RETURN(published.inode,
                     switch_content(volume, attempt.transaction, base, content, {}, change.attributes));
    return {};
  });
  if (needs_pages) return std::nullopt;
  if (!earlier) return Failure(std::move(earlier).error());
  if (*earlier) return rebuild_published(volume, change, offer);
  return published;
}

}  // namespace

Status check_not_fenced(const Attempt& attempt, const Publish& change, const Inode& base) {
  if (attempt.fencings == change.fencings || base.generation == change.base_generation) return {};
  return error(Code::kFenced,
               "inode {} was changed by others while they found this node dead, and this node's change began before",
               change.inode.value);
}

Result<Published> rebuild_published(Volume& volume, const Publish& change, const Offer& offer) {
  Published published;
  ASSIGN_OR_RETURN(published.inode, get_inode(volume, change.inode));
  std::vector<ChunkId> brought;
  for (const ChangedChunk& chunk : change.changes)
    if (offer.brings(chunk.id)) brought.push_back(chunk.id);
  brought = distinct_chunks(brought);
  ASSIGN_OR_RETURN(auto records, chunk_records(volume, brought));
  for (size_t i = 0; i < brought.size(); ++i)
    if (records[i] && records[i]->state == ChunkState::kStaged)
      published.to_upload.emplace_back(brought[i], records[i]->generation);
  return published;
}

Result<Inode> switch_content(Volume& volume, kv::Transaction& transaction, const Inode& base,
                             const WholeContent& content, std::vector<PageId> pages,
                             const AttributeChange& attributes) {
  Inode inode = base;
  inode.size = content.size;
  inode.generation = base.generation + 1;
  inode.content = Content();
  inode.content.form = content.form;
  if (content.form == Content::Form::kInline) {
    inode.content.inline_bytes = content.inline_bytes;
  } else {
    inode.content.manifest = Manifest{content.size, content.chunks}.id();
    if (content.form == Content::Form::kChunks) inode.content.chunks = content.chunks;
    inode.content.pages = std::move(pages);
  }
  TRY(change_attributes(transaction, inode, attributes, volume.clock().realtime_ns()));
  transaction.put(keys::inode(inode.id), inode.encode());

  QueueRow superseded = whole_content(base);
  QueueRow kept = whole_content(inode);
  std::sort(kept.pages.begin(), kept.pages.end());
  std::erase_if(superseded.references, [&](const ChunkId& chunk) {
    return std::binary_search(kept.references.begin(), kept.references.end(), chunk);
  });
  std::erase_if(superseded.pages,
                [&](PageId page) { return std::binary_search(kept.pages.begin(), kept.pages.end(), page); });
  TRY(queue_content(volume, transaction, superseded));
  return inode;
}

Result<Published> publish(Volume& volume, RequestId request, const Publish& change) {
  TRY(check_publish(change));
  const Offer offer(change);
  if (request.value != 0 && volume.slots().reply_of(request.value)) return rebuild_published(volume, change, offer);
  // Which of the two it is can change while others publish to the same inode.
  bool needs_pages = !change.inline_bytes && chunk_count(change.size) > limits::kInlineChunkIds;
  for (int attempt = 0; attempt < limits::kTransactionAttempts; ++attempt) {
    if (needs_pages) {
      auto published = publish_pages(volume, request, change, offer);
      if (!published && published.error().code == Code::kConflict) continue;
      if (!published) return Failure(std::move(published).error());
      if (*published) return std::move(**published);
    }
    ASSIGN_OR_RETURN(auto published, publish_at_once(volume, request, change, offer));
    if (published) return std::move(*published);
    needs_pages = true;
  }
  return error(Code::kUnavailable, "gave up publishing inode {}: others keep changing it", change.inode.value);
}

}  // namespace weir::meta
