#include <algorithm>

#include "base/limits.h"
#include "meta/content.h"
#include "meta/keys.h"
#include "meta/rows.h"

namespace weir::meta {

namespace {

constexpr size_t kChunksAtOnce = 512;

/// True if no chunk of the content is on this node alone.
Result<bool> all_have_two_holders(kv::Transaction& transaction, const std::vector<ChunkId>& unstored) {
  for (const ChunkId& id : unstored) {
    ASSIGN_OR_RETURN(auto holders, transaction.scan(keys::duties_of(id), 2));
    if (holders.size() < 2) return false;
  }
  return true;
}

}  // namespace

Result<std::vector<std::optional<ChunkRecord>>> chunk_records(Volume& volume, const std::vector<ChunkId>& ids) {
  auto transaction = volume.engine().begin();
  std::vector<std::optional<ChunkRecord>> records;
  records.reserve(ids.size());
  for (size_t first = 0; first < ids.size(); first += kChunksAtOnce) {
    std::vector<Bytes> chunk_keys;
    for (size_t i = first; i < std::min(first + kChunksAtOnce, ids.size()); ++i)
      chunk_keys.push_back(keys::chunk(ids[i]));
    ASSIGN_OR_RETURN(auto values, transaction->get_many(chunk_keys));
    for (const auto& value : values) {
      std::optional<ChunkRecord> record;
      if (value) {
        ASSIGN_OR_RETURN(record, ChunkRecord::decode(value->bytes));
      }
      records.push_back(record);
    }
  }
  return records;
}

std::string_view state_name(ContentState state) {
  switch (state) {
    case ContentState::kLocal: return "local";
    case ContentState::kZone: return "zone";
    case ContentState::kStored: return "stored";
  }
  return "local";
}

Result<ContentState> content_state(Volume& volume, const Inode& inode) {
  if (inode.content.form == Content::Form::kInline) return ContentState::kStored;
  ASSIGN_OR_RETURN(std::vector<ChunkId> ids, load_chunks(volume, inode));
  std::erase_if(ids, [](const ChunkId& id) { return id.is_zero(); });
  ASSIGN_OR_RETURN(auto records, chunk_records(volume, ids));
  std::vector<ChunkId> unstored;
  for (size_t i = 0; i < ids.size(); ++i) {
    if (!records[i]) return error(Code::kCorrupt, "chunk {} of inode {} is unknown", ids[i].hex(), inode.id.value);
    if (records[i]->state != ChunkState::kStored && !records[i]->was_stored) unstored.push_back(ids[i]);
  }
  if (unstored.empty()) return ContentState::kStored;
  ASSIGN_OR_RETURN(bool zone, all_have_two_holders(*volume.engine().begin(), unstored));
  return zone ? ContentState::kZone : ContentState::kLocal;
}

}  // namespace weir::meta
