#include "meta/claim.h"

#include <algorithm>

#include "meta/keys.h"
#include "meta/rows.h"
#include "model/chunk.h"

namespace weir::meta {

namespace {

/// The chunk's record from now on; nothing when it stays as it is.
Result<std::optional<ChunkRecord>> claimed_record(Volume& volume, const Claim& claim,
                                                  const std::optional<ChunkRecord>& present, bool brought) {
  if (present && present->state != ChunkState::kCondemned) return std::nullopt;
  if (present && present->was_stored) {
    ChunkRecord revived = *present;
    revived.state = ChunkState::kStored;
    revived.was_stored = false;
    return revived;
  }
  if (!brought)
    return error(Code::kUnavailable, "chunk {} is not in the volume{}", claim.id.hex(), present ? " any more" : "");
  if (present) {
    ChunkRecord revived = *present;
    revived.state = ChunkState::kStaged;
    return revived;
  }
  ChunkRecord staged;
  ASSIGN_OR_RETURN(staged.generation, volume.new_serial());
  staged.state = ChunkState::kStaged;
  staged.length_bytes = claim.length_bytes;
  return staged;
}

}  // namespace

Offer::Offer(const Publish& change) {
  for (const ChangedChunk& chunk : change.changes)
    if (!chunk.id.is_zero()) brought_[chunk.id] |= chunk.brought;
}

bool Offer::brings(const ChunkId& id) const {
  auto found = brought_.find(id);
  return found != brought_.end() && found->second;
}

std::vector<Claim> claims_of(const std::vector<ChunkId>& chunks, uint64_t size, uint64_t first, uint64_t count) {
  std::vector<Claim> claims;
  for (uint64_t index = first; index < first + count; ++index)
    if (!chunks[index].is_zero()) claims.push_back({chunks[index], static_cast<uint32_t>(chunk_length(size, index))});
  std::sort(claims.begin(), claims.end(), [](const Claim& a, const Claim& b) { return a.id < b.id; });
  auto same = [](const Claim& a, const Claim& b) { return a.id == b.id; };
  claims.erase(std::unique(claims.begin(), claims.end(), same), claims.end());
  return claims;
}

namespace {

Result<std::vector<std::optional<kv::Value>>> read_chunk_rows(kv::Transaction& transaction,
                                                              const std::vector<Claim>& claims,
                                                              const std::vector<Bytes>& chunk_keys,
                                                              const ChunkRows& known) {
  std::vector<std::optional<kv::Value>> values(claims.size());
  std::vector<Bytes> missing_keys;
  std::vector<size_t> missing;
  for (size_t i = 0; i < claims.size(); ++i) {
    const auto found = known.find(claims[i].id);
    if (found != known.end()) {
      values[i] = found->second;
    } else {
      missing.push_back(i);
      missing_keys.push_back(chunk_keys[i]);
    }
  }
  if (missing.empty()) return values;
  ASSIGN_OR_RETURN(auto read, transaction.get_many(missing_keys));
  for (size_t i = 0; i < missing.size(); ++i) values[missing[i]] = std::move(read[i]);
  return values;
}

}  // namespace

Status claim_chunks(Volume& volume, kv::Transaction& transaction, const std::vector<Claim>& claims, const Offer& offer,
                    ToUpload& to_upload, const ChunkRows& known) {
  if (claims.empty()) return {};
  std::vector<Bytes> chunk_keys;
  chunk_keys.reserve(claims.size());
  for (const Claim& claim : claims) chunk_keys.push_back(keys::chunk(claim.id));
  ASSIGN_OR_RETURN(auto values, read_chunk_rows(transaction, claims, chunk_keys, known));
  for (size_t i = 0; i < claims.size(); ++i) {
    std::optional<ChunkRecord> record;
    if (values[i]) {
      ASSIGN_OR_RETURN(record, ChunkRecord::decode(values[i]->bytes));
      if (record->length_bytes != claims[i].length_bytes)
        return error(Code::kInvalid, "chunk {} has {} bytes, not {}", claims[i].id.hex(), record->length_bytes,
                     claims[i].length_bytes);
    }
    const bool brought = offer.brings(claims[i].id);
    ASSIGN_OR_RETURN(auto written, claimed_record(volume, claims[i], record, brought));
    if (written) {
      record = written;
      transaction.put(chunk_keys[i], record->encode());
    }
    if (brought && record->state == ChunkState::kStaged) {
      transaction.put(keys::duty(claims[i].id, volume.node()), MarkRow().encode());
      to_upload.emplace_back(claims[i].id, record->generation);
    }
  }
  return {};
}

}  // namespace weir::meta
