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
#include "vfs/holders.h"
#include "vfs/waiting.h"

namespace weir::vfs {

/// Brings the bytes of one chunk: from this node's disk, else from the object store, or from a node that holds it while
/// it is not there yet; checked against the chunk's id before anyone sees them. However many ask for a chunk at once,
/// it is brought once. Thread-safe.
class Fetcher {
 public:
  struct Counters {
    std::atomic<uint64_t> cache_bytes = 0;
    std::atomic<uint64_t> store_bytes = 0;
    std::atomic<uint64_t> corrupt_chunks = 0;
  };
  using Shared = std::shared_ptr<const Bytes>;

  /// `peers` may be null: there are no other nodes.
  Fetcher(meta::Volume& volume, cache::Cache& cache, object::ObjectStore& store, ChunkBuffers& buffers,
          cluster::PeerClient* peers, int64_t timeout_ms);

  /// Blocks on the disk, the store or a holder, at most `timeout_ms` when they are out of reach, and as `waiting` says.
  /// Corrupt, Unavailable, and Io, when nobody has it, name the chunk and say why. Requires: not a hole.
  Result<Shared> chunk(const ChunkId& id, uint64_t length_bytes, const Waiting& waiting = {});
  /// The same, and puts it into the image, if the disk has room for it. Who joins another's flight into the same image
  /// has the bytes before they are there.
  Result<Shared> chunk_of_image(cache::Image& image, uint64_t index, const Waiting& waiting = {});
  /// Puts the chunk into the image. NoSpace: the disk has no room for it. Does not wait for holders: WouldBlock.
  Status fill(cache::Image& image, uint64_t index);
  /// A whole small content.
  Result<Shared> small(const ChunkId& id, uint64_t length_bytes, const Waiting& waiting = {});
  /// From now on nobody waits here for what is out of reach: the mount ends. Any thread.
  void stop() { stopping_ = true; }

  Counters& counters() { return counters_; }
  const Holders& holders() const { return holders_; }

 private:
  /// One chunk on its way. It stays in the table until its bytes are in `image`: who asks in between shares them.
  struct Flight {
    explicit Flight(const cache::Image* into) : image(into) {}

    const cache::Image* const image;  // null: none
    Mutex mutex;
    ConditionVariable changed;
    bool landed GUARDED_BY(mutex) = false;
    bool lagging GUARDED_BY(mutex) = false;  // its pilot waits for a holder
    Result<Shared> result GUARDED_BY(mutex);
    bool kept GUARDED_BY(mutex) = false;
    Status keeping GUARDED_BY(mutex);
  };
  struct Seat {
    std::shared_ptr<Flight> flight;
    bool pilot = false;  // brings the chunk, and ends the flight
  };

  Seat board(const ChunkId& id, const cache::Image* image);
  static Result<Shared> wait(Flight& flight, const Waiting& waiting);
  /// What another's flight came to, because of how that one waits.
  static bool is_only_theirs(const Result<Shared>& result, const Waiting& waiting);
  static void land(Flight& flight, const Result<Shared>& result);
  void end(const ChunkId& id, Flight& flight, const Status& keeping);
  /// `keeping`: whether the image has the chunk now. `wait_for_others`: to put it there.
  Result<Shared> bring_into(cache::Image& image, uint64_t index, bool wait_for_others, const Waiting& waiting,
                            Status& keeping);
  Result<Shared> bring(const ChunkId& id, uint64_t length_bytes, Flight& flight, const Waiting& waiting);
  Result<bool> from_disk(const ChunkId& id, Bytes& bytes);
  Status from_elsewhere(const ChunkId& id, Bytes& bytes, Flight& flight, const Waiting& waiting);
  /// `held`: it is not in the store.
  Status from_elsewhere_once(const ChunkId& id, Bytes& bytes, const Waiting& waiting, bool& held);
  Status from_store(const ChunkId& id, const ChunkRecord& record, Bytes& bytes);
  /// Blocks: that long, or until nobody waits any more.
  void pause(int64_t pause_ms, const Waiting& waiting);

  meta::Volume& volume_;
  cache::Cache& cache_;
  object::ObjectStore& store_;
  ChunkBuffers& buffers_;
  const int64_t timeout_ms_;
  Holders holders_;
  std::atomic<bool> stopping_ = false;
  Counters counters_;
  Mutex mutex_;
  std::unordered_map<ChunkId, std::shared_ptr<Flight>> flights_ GUARDED_BY(mutex_);
};

}  // namespace weir::vfs
