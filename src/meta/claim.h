#pragma once

#include <optional>
#include <unordered_map>
#include <utility>
#include <vector>

#include "meta/content.h"
#include "meta/volume.h"

/// How a publish takes chunks into use (docs/data-model.md, "Publish"). Internal.
namespace weir::meta {

using ToUpload = std::vector<std::pair<ChunkId, uint64_t>>;

/// What a publish says of the chunks it names, by id.
class Offer {
 public:
  /// The chunks of `change`.
  explicit Offer(const Publish& change);
  bool brings(const ChunkId& id) const;

 private:
  std::unordered_map<ChunkId, bool> brought_;
};

struct Claim {
  ChunkId id;
  uint32_t length_bytes = 0;
};
/// The distinct chunks of a content, or of `count` chunks of it from `first` on, with their lengths.
std::vector<Claim> claims_of(const std::vector<ChunkId>& chunks, uint64_t size, uint64_t first, uint64_t count);

/// `C` rows that were read along with other rows, in the transaction that claims.
using ChunkRows = std::unordered_map<ChunkId, std::optional<kv::Value>>;

/// Makes every chunk live by the transaction's end: validates the `C` rows, which it reads unless
/// they are `known`, writes those that are absent or condemned,
/// and this node's `H` rows for what it brings and the store has not (also added to `to_upload`). The caller writes the
/// references. Unavailable when a chunk is neither live nor brought.
Status claim_chunks(Volume& volume, kv::Transaction& transaction, const std::vector<Claim>& claims, const Offer& offer,
                    ToUpload& to_upload, const ChunkRows& known = {});

}  // namespace weir::meta
