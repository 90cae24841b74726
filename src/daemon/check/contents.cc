#include "daemon/check/contents.h"

#include <atomic>
#include <optional>

#include "base/limits.h"
#include "base/mutex.h"
#include "base/thread_pool.h"
#include "cache/cache.h"
#include "model/chunk.h"

namespace weir {

namespace {

constexpr size_t kReaders = 4;

std::optional<ChunkFinding> verify(object::ObjectStore& store, const NamedChunk& chunk) {
  std::string name = chunk_object_name(chunk.id, chunk.record.generation);
  auto bytes = store.get(name, 0, limits::kChunkBytes + 1);
  if (!bytes)
    return ChunkFinding{chunk.id, chunk.record, "unreadable_object",
                        fmt::format("object {} cannot be read: {}", name, bytes.error().what)};
  if (chunk_id_of(*bytes) == chunk.id) return std::nullopt;
  return ChunkFinding{chunk.id, chunk.record, "corrupt_object",
                      fmt::format("object {} does not hold the bytes that its name says", name)};
}

}  // namespace

Result<std::optional<Bytes>> cached_bytes(cache::Cache& cache, const NamedChunk& chunk) {
  Bytes bytes(chunk.record.length_bytes, '\0');
  ASSIGN_OR_RETURN(bool here, cache.read_chunk(chunk.id, std::span<char>(bytes.data(), bytes.size())));
  if (!here || chunk_id_of(bytes) != chunk.id) return std::nullopt;
  return bytes;
}

Result<std::vector<ChunkFinding>> verify_objects(object::ObjectStore& store, const std::vector<NamedChunk>& chunks,
                                                 const std::function<bool(uint64_t done)>& watch) {
  Mutex mutex;
  std::vector<ChunkFinding> findings;
  std::atomic<uint64_t> done = 0;
  bool stopped = false;
  {
    ThreadPool readers("check-read", kReaders, kReaders * 2);
    for (const NamedChunk& chunk : chunks) {
      if (stopped = !watch(done); stopped) break;
      readers.submit([&] {
        auto finding = verify(store, chunk);
        ++done;
        if (!finding) return;
        MutexLock lock(mutex);
        findings.push_back(std::move(*finding));
      });
    }
  }
  if (stopped || !watch(done)) return error(Code::kInterrupted, "the check was stopped");
  return findings;
}

}  // namespace weir
