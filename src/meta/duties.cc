#include <algorithm>

#include "base/limits.h"
#include "meta/content.h"
#include "meta/keys.h"
#include "meta/reference.h"
#include "meta/removal.h"
#include "meta/rows.h"
#include "meta/run_transaction.h"

namespace weir::meta {

namespace {

using Stored = std::pair<ChunkId, uint64_t>;

/// One batch of mark_stored().
Status mark_batch(Volume& volume, kv::Transaction& transaction, const Stored* begin, const Stored* end) {
  std::vector<Bytes> chunk_keys;
  for (const Stored* chunk = begin; chunk != end; ++chunk) chunk_keys.push_back(keys::chunk(chunk->first));
  ASSIGN_OR_RETURN(auto values, transaction.get_many(chunk_keys));
  QueueRow useless;  // objects of generations that are over: their names never come back
  for (size_t i = 0; i < values.size(); ++i) {
    const auto& [id, generation] = begin[i];
    std::optional<ChunkRecord> record;
    if (values[i]) {
      ASSIGN_OR_RETURN(record, ChunkRecord::decode(values[i]->bytes));
    }
    if (!record || record->generation != generation) {
      useless.chunks.push_back({id, generation, 0});
      continue;
    }
    transaction.erase(keys::duty(id, volume.node()));
    if (record->state == ChunkState::kStored || record->was_stored) continue;
    if (record->state == ChunkState::kStaged) record->state = ChunkState::kStored;
    if (record->state == ChunkState::kCondemned) record->was_stored = true;
    transaction.put(chunk_keys[i], record->encode());
  }
  if (useless.chunks.empty()) return {};
  ASSIGN_OR_RETURN(uint64_t serial, volume.new_serial());
  transaction.put(keys::queue(keys::QueueClass::kObject, due_ms(volume, true), serial), useless.encode());
  return {};
}

}  // namespace

Status mark_stored(Volume& volume, const std::vector<std::pair<ChunkId, uint64_t>>& chunks) {
  std::vector<Stored> sorted = chunks;
  std::sort(sorted.begin(), sorted.end());
  sorted.erase(std::unique(sorted.begin(), sorted.end()), sorted.end());
  for (size_t first = 0; first < sorted.size(); first += limits::kMarkedChunks) {
    const Stored* begin = sorted.data() + first;
    const Stored* end = sorted.data() + std::min(first + limits::kMarkedChunks, sorted.size());
    TRY(run_transaction(volume, RequestId{},
                        [&](Attempt& attempt) { return mark_batch(volume, attempt.transaction, begin, end); }));
  }
  return {};
}

Result<bool> chunk_is_wanted(Volume& volume, const ChunkId& id) {
  auto transaction = volume.engine().begin();
  return any_reference_is_current(*transaction, id);
}

Status drop_duty(Volume& volume, const ChunkId& id) {
  const Bytes chunk_key = keys::chunk(id);
  const Bytes duty_key = keys::duty(id, volume.node());
  auto done = run_transaction(volume, RequestId{}, [&](Attempt& attempt) -> Status {
    // Nobody can take the chunk into use while it is decided that its bytes may go.
    TRY(attempt.transaction.fence(chunk_key));
    ASSIGN_OR_RETURN(auto value, attempt.transaction.get(chunk_key));
    attempt.transaction.erase(duty_key);
    if (!value) return {};
    ASSIGN_OR_RETURN(ChunkRecord record, ChunkRecord::decode(value->bytes));
    if (record.state == ChunkState::kStored || record.was_stored) return {};
    ASSIGN_OR_RETURN(bool wanted, any_reference_is_current(attempt.transaction, id));
    if (wanted) return error(Code::kBusy, "chunk {} is part of a file's content", id.hex());
    ASSIGN_OR_RETURN(auto holders, attempt.transaction.scan(keys::duties_of(id), 2));
    std::erase_if(holders, [&](const kv::KeyValue& row) { return row.key == duty_key; });
    if (!holders.empty() || record.state == ChunkState::kCondemned) return {};
    // Nobody has the bytes any more: who wants the chunk from now on has to bring it.
    record.state = ChunkState::kCondemned;
    attempt.transaction.put(chunk_key, record.encode());
    ASSIGN_OR_RETURN(uint64_t serial, volume.new_serial());
    QueueRow row;
    row.chunks.push_back({id, record.generation, record.length_bytes});
    attempt.transaction.put(keys::queue(keys::QueueClass::kCondemned, due_ms(volume, true), serial), row.encode());
    return {};
  });
  TRY(std::move(done));
  return {};
}

}  // namespace weir::meta
