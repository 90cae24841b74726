#include <algorithm>
#include <span>

#include "base/limits.h"
#include "meta/content.h"
#include "meta/keys.h"
#include "meta/removal.h"
#include "meta/rows.h"
#include "meta/run_transaction.h"

namespace weir::meta {

namespace {

using Generations = std::vector<std::optional<uint64_t>>;

/// One batch: those of `chunks` that `generations` is about, from `first` on.
Status announce_batch(Volume& volume, kv::Transaction& transaction, std::span<const AnnouncedChunk> chunks,
                      std::span<std::optional<uint64_t>> generations) {
  std::vector<Bytes> chunk_keys;
  for (const AnnouncedChunk& chunk : chunks) chunk_keys.push_back(keys::chunk(chunk.id));
  ASSIGN_OR_RETURN(auto values, transaction.get_many(chunk_keys));
  QueueRow waiting;
  for (size_t i = 0; i < chunks.size(); ++i) {
    generations[i].reset();
    const auto same = [&](const ChunkGeneration& before) { return before.chunk == chunks[i].id; };
    if (values[i] || std::any_of(waiting.chunks.begin(), waiting.chunks.end(), same)) continue;
    ChunkRecord record;
    ASSIGN_OR_RETURN(record.generation, volume.new_serial());
    record.state = ChunkState::kCondemned;
    record.length_bytes = chunks[i].length_bytes;
    transaction.put(chunk_keys[i], record.encode());
    waiting.chunks.push_back({chunks[i].id, record.generation, record.length_bytes});
    generations[i] = record.generation;
  }
  if (waiting.chunks.empty()) return {};
  ASSIGN_OR_RETURN(uint64_t serial, volume.new_serial());
  transaction.put(keys::queue(keys::QueueClass::kCondemned, due_ms(volume, false), serial), waiting.encode());
  return {};
}

}  // namespace

Result<Generations> announce_chunks(Volume& volume, const std::vector<AnnouncedChunk>& chunks) {
  Generations generations(chunks.size());
  for (size_t first = 0; first < chunks.size(); first += limits::kMarkedChunks) {
    const size_t count = std::min(limits::kMarkedChunks, chunks.size() - first);
    TRY(run_transaction(volume, RequestId{}, [&](Attempt& attempt) {
      return announce_batch(volume, attempt.transaction, std::span(chunks).subspan(first, count),
                            std::span(generations).subspan(first, count));
    }));
  }
  return generations;
}

}  // namespace weir::meta
