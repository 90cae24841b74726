#pragma once

#include <atomic>
#include <memory>
#include <span>
#include <unordered_map>

#include "base/clock.h"
#include "base/mutex.h"
#include "base/result.h"
#include "cache/cache.h"
#include "meta/volume.h"
#include "object/object_store.h"
#include "vfs/chunk_buffers.h"

namespace weir::vfs {

/// Brings the bytes of one chunk: from this node's disk, else from the object store, checked against the chunk's id
/// before anyone sees them. However many ask for a chunk at once, it is brought once. Thread-safe.
class Fetcher {
 public:
  struct Counters {
    std::atomic<uint64_t> cache_bytes = 0;
    std::atomic<uint64_t> store_bytes = 0;
    std::atomic<uint64_t> corrupt_chunks = 0;
  };
  using Shared = std::shared_ptr<const Bytes>;

  Fetcher(meta::Volume& volume, cache::Cache& cache, object::ObjectStore& store, ChunkBuffers& buffers,
          int64_t timeout_ms);

  /// Blocks on the disk or the store, at most `timeout_ms` when the store is out of reach. Corrupt or Unavailable name
  /// the chunk and say why. Requires: not a hole.
  Result<Shared> chunk(const ChunkId& id, uint64_t length_bytes);
  /// The same, and puts it into the image, if the disk has room for it. Who joins another's flight into the same image
  /// has the bytes before they are there.
  Result<Shared> chunk_of_image(cache::Image& image, uint64_t index);
  /// Puts the chunk into the image. NoSpace: the disk has no room for it.
  Status fill(cache::Image& image, uint64_t index);
  /// A whole small content.
  Result<Shared> small(const ChunkId& id, uint64_t length_bytes);

  Counters& counters() { return counters_; }

 private:
  /// One chunk on its way. It stays in the table until its bytes are in `image`: who asks in between shares them.
  struct Flight {
    explicit Flight(const cache::Image* into) : image(into) {}

    const cache::Image* const image;  // null: none
    Mutex mutex;
    ConditionVariable changed;
    bool landed GUARDED_BY(mutex) = false;
    Result<Shared> result GUARDED_BY(mutex);
    bool kept GUARDED_BY(mutex) = false;
    Status keeping GUARDED_BY(mutex);
  };
  struct Seat {
    std::shared_ptr<Flight> flight;
    bool pilot = false;  // brings the chunk, and ends the flight
  };

  Seat board(const ChunkId& id, const cache::Image* image);
  static Result<Shared> wait(Flight& flight);
  static void land(Flight& flight, const Result<Shared>& result);
  void end(const ChunkId& id, Flight& flight, const Status& keeping);
  /// `keeping`: whether the image has the chunk now. `wait_for_others`: to put it there.
  Result<Shared> bring_into(cache::Image& image, uint64_t index, bool wait_for_others, Status& keeping);
  Result<Shared> bring(const ChunkId& id, uint64_t length_bytes);
  Result<bool> from_disk(const ChunkId& id, Bytes& bytes);
  Status from_store(const ChunkId& id, Bytes& bytes);
  Status from_store_once(const ChunkId& id, Bytes& bytes);

  meta::Volume& volume_;
  cache::Cache& cache_;
  object::ObjectStore& store_;
  ChunkBuffers& buffers_;
  const int64_t timeout_ms_;
  Counters counters_;
  Mutex mutex_;
  std::unordered_map<ChunkId, std::shared_ptr<Flight>> flights_ GUARDED_BY(mutex_);
};

}  // namespace weir::vfs
