#include "vfs/fetcher.h"

#include "base/check.h"
#include "base/log.h"
#include "meta/holders.h"
#include "model/chunk.h"

namespace weir::vfs {

namespace {

// Pauses between tries while the store is out of reach.
constexpr int64_t kFirstPauseMs = 50;
constexpr int64_t kLongestPauseMs = 2000;
constexpr int64_t kLookMs = 100;  // between questions whether to go on
// Bytes that are wrong on their way are right at another try; those that are wrong in the store never are.
constexpr int kWrongBytesTries = 4;

}  // namespace

Fetcher::Fetcher(meta::Volume& volume, cache::Cache& cache, object::ObjectStore& store, ChunkBuffers& buffers,
                 cluster::PeerClient* peers, int64_t timeout_ms)
    : volume_(volume),
      cache_(cache),
      store_(store),
      buffers_(buffers),
      timeout_ms_(timeout_ms),
      holders_(volume, peers) {}

Fetcher::Seat Fetcher::board(const ChunkId& id, const cache::Image* image) {
  MutexLock lock(mutex_);
  auto [place, inserted] = flights_.try_emplace(id);
  if (inserted) place->second = std::make_shared<Flight>(image);
  return {place->second, inserted};
}

Result<Fetcher::Shared> Fetcher::wait(Flight& flight, const Waiting& waiting) {
  for (;;) {
    {
      MutexLock lock(flight.mutex);
      if (!flight.landed && !(flight.lagging && !waiting.for_holders))
        flight.changed.wait_for_ms(flight.mutex, waiting.keep_going ? kLookMs : kLongestPauseMs);
      if (flight.landed) return flight.result;
      if (flight.lagging && !waiting.for_holders)
        return error(Code::kWouldBlock, "a chunk that is not in the object store yet is waited for");
    }
    if (!waiting.goes_on()) return error(Code::kInterrupted, "interrupted while waiting for a chunk");
  }
}

bool Fetcher::is_only_theirs(const Result<Shared>& result, const Waiting& waiting) {
  if (result) return false;
  return (result.error().code == Code::kWouldBlock && waiting.for_holders) ||
         (result.error().code == Code::kInterrupted && waiting.goes_on());
}

void Fetcher::land(Flight& flight, const Result<Shared>& result) {
  {
    MutexLock lock(flight.mutex);
    flight.result = result;
    flight.landed = true;
  }
  flight.changed.notify_all();
}

void Fetcher::end(const ChunkId& id, Flight& flight, const Status& keeping) {
  {
    MutexLock lock(mutex_);
    flights_.erase(id);
  }
  {
    MutexLock lock(flight.mutex);
    flight.keeping = keeping;
    flight.kept = true;
  }
  flight.changed.notify_all();
}

Result<Fetcher::Shared> Fetcher::chunk(const ChunkId& id, uint64_t length_bytes, const Waiting& waiting) {
  CHECK(!id.is_zero());
  for (;;) {
    const Seat seat = board(id, nullptr);
    Result<Shared> result = seat.pilot ? bring(id, length_bytes, *seat.flight, waiting) : wait(*seat.flight, waiting);
    if (seat.pilot) {
      land(*seat.flight, result);
      end(id, *seat.flight, {});
    }
    if (seat.pilot || !is_only_theirs(result, waiting)) return result;
  }
}

Result<Fetcher::Shared> Fetcher::bring_into(cache::Image& image, uint64_t index, bool wait_for_others,
                                            const Waiting& waiting, Status& keeping) {
  const Manifest& manifest = image.manifest();
  const ChunkId& id = manifest.chunks[index];
  CHECK(!id.is_zero());
  Seat seat;
  Result<Shared> result = Shared();
  do {
    seat = board(id, &image);
    result =
        seat.pilot ? bring(id, chunk_length(manifest.size, index), *seat.flight, waiting) : wait(*seat.flight, waiting);
  } while (!seat.pilot && is_only_theirs(result, waiting));
  if (seat.pilot) land(*seat.flight, result);
  // A content may have the same chunk at several places, so the other flight may be for another one.
  if (result && (seat.pilot || seat.flight->image != &image || wait_for_others)) {
    if (!seat.pilot) {
      MutexLock lock(seat.flight->mutex);
      while (!seat.flight->kept) seat.flight->changed.wait(seat.flight->mutex);
    }
    keeping = image.fill(index, **result);
  }
  if (seat.pilot) end(id, *seat.flight, result ? keeping : Status());
  return result;
}

Result<Fetcher::Shared> Fetcher::chunk_of_image(cache::Image& image, uint64_t index, const Waiting& waiting) {
  Status keeping;
  auto bytes = bring_into(image, index, false, waiting, keeping);
  if (bytes && !keeping && keeping.error().code != Code::kNoSpace)
    log::warning("cannot keep chunk {} of image {}: {}", index, image.id().hex(), keeping.error().what);
  return bytes;
}

Status Fetcher::fill(cache::Image& image, uint64_t index) {
  Status keeping;
  TRY(bring_into(image, index, true, Waiting{.for_holders = false}, keeping));
  return keeping;
}

Result<Fetcher::Shared> Fetcher::small(const ChunkId& id, uint64_t length_bytes, const Waiting& waiting) {
  if (auto kept = cache_.get_small(id); kept && *kept && (*kept)->size() == length_bytes && chunk_id_of(**kept) == id) {
    counters_.cache_bytes += length_bytes;
    return std::make_shared<const Bytes>(std::move(**kept));
  }
  ASSIGN_OR_RETURN(Shared bytes, chunk(id, length_bytes, waiting));
  if (Status kept = cache_.put_small(id, *bytes); !kept && kept.error().code != Code::kNoSpace)
    log::warning("cannot keep small content {}: {}", id.hex(), kept.error().what);
  return bytes;
}

Result<Fetcher::Shared> Fetcher::bring(const ChunkId& id, uint64_t length_bytes, Flight& flight,
                                       const Waiting& waiting) {
  ChunkBuffers::Buffer bytes = buffers_.take(length_bytes);
  ASSIGN_OR_RETURN(bool found, from_disk(id, *bytes));
  if (!found) TRY(from_elsewhere(id, *bytes, flight, waiting));
  return Shared(std::move(bytes));
}

Result<bool> Fetcher::from_disk(const ChunkId& id, Bytes& bytes) {
  auto found = cache_.read_chunk(id, std::span<char>(bytes.data(), bytes.size()));
  if (!found) {
    log::warning("cannot read chunk {} from the cache, trying the object store: {}", id.hex(), found.error().what);
    return false;
  }
  if (!*found) return false;
  if (chunk_id_of(bytes) != id) {
    ++counters_.corrupt_chunks;
    log::error("chunk {} in the cache does not match its id; trying the object store", id.hex());
    return false;
  }
  counters_.cache_bytes += bytes.size();
  return true;
}

Status Fetcher::from_elsewhere(const ChunkId& id, Bytes& bytes, Flight& flight, const Waiting& waiting) {
  const int64_t deadline_ns = volume_.clock().monotonic_ns() + timeout_ms_ * 1'000'000;
  bool said = false;
  int wrong_tries = 0;
  for (int64_t pause_ms = kFirstPauseMs;; pause_ms = std::min(pause_ms * 2, kLongestPauseMs)) {
    bool held = false;
    Status got = from_elsewhere_once(id, bytes, waiting, held);
    if (got) return got;
    const bool passes = got.error().code == Code::kUnavailable || got.error().code == Code::kTimeout;
    const bool wrong = got.error().code == Code::kCorrupt && ++wrong_tries < kWrongBytesTries;
    if (!passes && !wrong) return got;
    if (passes && held && !waiting.for_holders) return error(Code::kWouldBlock, "{}", got.error().what);
    if (volume_.clock().monotonic_ns() >= deadline_ns)
      return error(Code::kUnavailable, "chunk {} could not be read within {} s: {}", id.hex(), timeout_ms_ / 1000,
                   got.error().what);
    if (stopping_) return error(Code::kUnavailable, "the mount ends, and nobody waits any more: {}", got.error().what);
    if (!said) log::warning("waiting for chunk {}: {}", id.hex(), got.error().what);
    said = true;
    {
      MutexLock lock(flight.mutex);
      flight.lagging = flight.lagging || (held && passes);
    }
    flight.changed.notify_all();
    pause(pause_ms, waiting);
    if (!waiting.goes_on()) return error(Code::kInterrupted, "interrupted while waiting: {}", got.error().what);
  }
}

void Fetcher::pause(int64_t pause_ms, const Waiting& waiting) {
  for (int64_t left_ms = pause_ms; left_ms > 0 && !stopping_ && waiting.goes_on(); left_ms -= kLookMs)
    volume_.clock().sleep_ms(std::min(left_ms, kLookMs));
}

Status Fetcher::from_elsewhere_once(const ChunkId& id, Bytes& bytes, const Waiting& waiting, bool& held) {
  ASSIGN_OR_RETURN(meta::ChunkPlaces places, meta::chunk_places(volume_, id));
  if (!places.record) return error(Code::kCorrupt, "chunk {} is named by a file but unknown to the volume", id.hex());
  if (meta::is_stored(*places.record)) return from_store(id, *places.record, bytes);
  held = true;
  if (places.holders.empty())
    return error(Code::kUnavailable, "chunk {} is not in the object store yet, and no node says that it has it",
                 id.hex());
  Status got = holders_.bring(id, places.holders, bytes, [&] { return !stopping_ && waiting.goes_on(); });
  if (got || got.error().code != Code::kIo) return got;
  // This node may have got it since it looked at its disk.
  ASSIGN_OR_RETURN(bool here, from_disk(id, bytes));
  return here ? Status() : got;
}

Status Fetcher::from_store(const ChunkId& id, const ChunkRecord& record, Bytes& bytes) {
  std::string name = chunk_object_name(id, record.generation);
  auto got = store_.get_into(name, 0, std::span<char>(bytes.data(), bytes.size()));
  if (!got && got.error().code == Code::kNotFound)
    return error(Code::kCorrupt, "object {} is missing from {}", name, store_.describe());
  if (!got) return Failure(got.error());
  if (*got != bytes.size() || chunk_id_of(bytes) != id) {
    ++counters_.corrupt_chunks;
    return error(Code::kCorrupt, "object {} of {} does not match its chunk id", name, store_.describe());
  }
  counters_.store_bytes += bytes.size();
  return {};
}

}  // namespace weir::vfs
