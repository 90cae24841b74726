#pragma once

#include <vector>

#include "meta/content.h"

/// What a publish makes of the content that is there. No I/O. Internal.
namespace weir::meta {

/// A whole content: inline when `form` says so, else its chunk ids.
struct WholeContent {
  uint64_t size = 0;
  Content::Form form = Content::Form::kInline;
  Bytes inline_bytes;
  std::vector<ChunkId> chunks;  // chunk_count(size) of them, unless inline
};

/// Checks that need no reading. Invalid; TooLarge.
Status check_publish(const Publish& change);

/// `change` applied to `base`, whose chunks are `base_chunks` (empty when it is inline). When the base is the one the
/// change was made on, a change that does not fit is Invalid. Otherwise the two are merged: what the change wrote lies
/// over what is there, as if it had been written there, and Stale means that chunks would have to be mixed.
Result<WholeContent> apply_change(const Inode& base, const std::vector<ChunkId>& base_chunks, const Publish& change);

/// Its distinct ids, without holes, in order.
std::vector<ChunkId> distinct_chunks(const std::vector<ChunkId>& chunks);

}  // namespace weir::meta
