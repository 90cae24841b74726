#include "cache/cache.h"

#include <fcntl.h>

#include <algorithm>

#include "base/check.h"
#include "base/io.h"
#include "base/limits.h"
#include "base/log.h"
#include "cache/state.h"

namespace weir::cache {

Cache::Cache(std::unique_ptr<State> state) : state_(std::move(state)) {}

Cache::~Cache() {
  {
    MutexLock lock(state_->recovered_mutex);
    state_->recovered.clear();
  }
  CHECK(state_->staging_files == 0);
}

Result<std::unique_ptr<Cache>> Cache::open(const Options& options, Clock& clock, const LostContent& lost) {
  ASSIGN_OR_RETURN(Directory directory, Directory::open(options));
  std::unique_ptr<Cache> cache(new Cache(std::make_unique<State>(options, clock, std::move(directory))));
  cache->state_->cache = cache.get();
  TRY(cache->state_->open(lost));
  return cache;
}

bool Cache::lost_power() const { return state_->directory.boot_changed() && !state_->directory.is_new(); }

Status Cache::end_recovery() { return state_->directory.save_boot(); }

Result<std::optional<Bytes>> Cache::get_small(const ChunkId& id) {
  ASSIGN_OR_RETURN(std::shared_ptr<const Bytes> bytes, state_->find_small(id));
  if (!bytes) return std::optional<Bytes>();
  state_->small->touch(id);
  return std::optional<Bytes>(*bytes);
}

Status Cache::put_small(const ChunkId& id, std::string_view bytes) { return state_->put_small(id, bytes); }

Status Cache::put_small_unstored(const ChunkId& id, std::string_view bytes) {
  return state_->put_small_unstored(id, bytes);
}

Result<std::shared_ptr<Image>> Cache::open_image(const ManifestId& id, std::shared_ptr<const Manifest> manifest) {
  return state_->open_image(id, manifest);
}

std::optional<uint64_t> Cache::present_chunks(const ManifestId& id) {
  std::optional<ImageEntry> entry = state_->images.find(id);
  if (!entry) return std::nullopt;
  return entry->present_chunks;
}

Result<bool> Cache::read_chunk(const ChunkId& id, std::span<char> buffer) {
  if (buffer.size() <= limits::kSmallContentBytes) {
    // Copying a chunk from here to there is no use of it.
    ASSIGN_OR_RETURN(std::shared_ptr<const Bytes> bytes, state_->find_small(id));
    if (bytes && bytes->size() == buffer.size()) {
      std::copy(bytes->begin(), bytes->end(), buffer.begin());
      return true;
    }
  }
  ASSIGN_OR_RETURN(std::vector<ChunkPlace> places, state_->index->places(id));
  Status failed;
  for (bool verified : {true, false}) {
    for (const ChunkPlace& place : places) {
      Result<bool> found = state_->read_place(place, id, verified, buffer);
      if (found && *found) return true;
      if (!found) failed = Failure(found.error());
    }
  }
  TRY(failed);
  return state_->read_unindexed(id, buffer);
}

Result<std::optional<ChunkFile>> Cache::chunk_file(const ChunkId& id) {
  ASSIGN_OR_RETURN(std::vector<ChunkPlace> places, state_->index->places(id));
  for (const ChunkPlace& place : places) {
    ASSIGN_OR_RETURN(FileDescriptor file, state_->open_place(place, id));
    if (file.valid()) return ChunkFile{std::move(file), chunk_offset(place.index)};
  }
  return std::nullopt;
}

Result<std::unique_ptr<Staging>> Cache::new_staging() {
  const uint64_t id = state_->next_staging_id++;
  std::string path = state_->layout.staging(id);
  ASSIGN_OR_RETURN(FileDescriptor fd, io::open_file(path, O_RDWR | O_CREAT | O_EXCL));
  return std::unique_ptr<Staging>(new Staging(*this, id, std::move(path), std::move(fd)));
}

Result<std::shared_ptr<Image>> Cache::seal(std::unique_ptr<Staging>& staging, std::shared_ptr<const Manifest> manifest,
                                           const std::vector<bool>& own, bool keep_record) {
  return state_->seal(staging, manifest, own, keep_record);
}

Status Cache::forget_record(uint64_t staging_id) { return state_->journal->erase_staging(staging_id); }

Result<std::unique_ptr<Staging>> Cache::begin_take_over(Image& image) { return state_->begin_take_over(image); }

Status Cache::finish_take_over(Image& image) { return state_->finish_take_over(image); }

Status Cache::give_back(std::unique_ptr<Staging>& staging, std::shared_ptr<const Manifest> manifest, InodeId inode) {
  return state_->give_back(staging, *manifest, inode);
}

std::vector<Recovered> Cache::take_recovered() {
  MutexLock lock(state_->recovered_mutex);
  std::vector<Recovered> all;
  all.swap(state_->recovered);
  for (Recovered& recovered : all)
    if (recovered.staging) recovered.staging->kept_ = false;
  return all;
}

Status Cache::sync_image(const Image& image) {
  if (::fsync(image.fd()) != 0) return errno_error(errno, fmt::format("sync image {}", image.id().hex()));
  TRY(io::sync_directory(state_->layout.image_directory(image.id())));
  return state_->journal_sync.run();
}

Status Cache::sync_journal() { return state_->journal_sync.run(); }

Status Cache::barrier() { return state_->barrier_sync.run(); }

std::vector<Unstored> Cache::unstored(uint64_t after, size_t limit) {
  Result<std::vector<Unstored>> records = state_->journal->unstored(after, limit);
  if (records) return std::move(*records);
  log::error("cannot read what is not stored: {}", records.error().what);
  return {};
}

uint64_t Cache::wait_unstored(uint64_t sequence, int64_t timeout_ms) {
  return state_->journal->wait(sequence, timeout_ms);
}

Status Cache::mark_stored(const Unstored& record) {
  TRY(record.image.is_zero() ? state_->mark_small_stored(record) : state_->mark_image_stored(record));
  state_->evictable();
  return {};
}

Status Cache::evict_image(const ManifestId& id) {
  MutexLock lock(state_->locks.of(id.bytes()));
  std::optional<ImageEntry> entry = state_->images.find(id);
  if (!entry) return {};
  if (entry->open) return error(Code::kBusy, "image {} is in use", id.hex());
  if (entry->unstored) return error(Code::kBusy, "image {} is not stored yet", id.hex());
  if (state_->is_mapped_locked(id, *entry)) return error(Code::kBusy, "image {} is mapped by a process", id.hex());
  TRY(state_->evict_locked(id));
  state_->evicted_bytes += entry->disk_bytes;
  return {};
}

Status Cache::evict_small(const ChunkId& id) { return state_->evict_one_small(id); }

uint64_t Cache::evict_to(uint64_t target_bytes) {
  uint64_t stored = state_->stored_bytes();
  return stored > target_bytes ? state_->make_room(stored - target_bytes) : 0;
}

Usage Cache::usage() const {
  const State& state = *state_;
  Usage usage;
  usage.image_bytes = state.images.disk_bytes();
  usage.small_bytes = state.small->bytes() + state.journal->small_bytes();
  usage.staging_bytes = static_cast<uint64_t>(std::max<int64_t>(state.staging_bytes, 0));
  usage.unstored_bytes = state.journal->unstored_bytes();
  usage.unstored_contents = state.journal->unstored_contents();
  usage.images = state.images.images();
  usage.images_complete = state.images.final_images();
  usage.small_contents = state.small->contents() + state.journal->small_contents();
  usage.evicted_bytes = state.evicted_bytes;
  usage.size_bytes_max = state.options.size_bytes_max;
  usage.disk_free_bytes = state.space->free_bytes();
  usage.reserve_bytes = state.space->reserve_bytes();
  return usage;
}

}  // namespace weir::cache
