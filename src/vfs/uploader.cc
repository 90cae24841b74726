#include "vfs/uploader.h"

#include <pthread.h>

#include <algorithm>

#include "base/fault_point.h"
#include "base/io.h"
#include "base/log.h"
#include "meta/content.h"
#include "model/chunk.h"

namespace weir::vfs {

namespace {

// One batch: read, sent, and noted together. What was not begun within its time is of the next one.
constexpr size_t kBatchRecords = 4096;
constexpr uint64_t kBatchBytes = uint64_t{1} << 30;
constexpr int64_t kBatchNs = 2'000'000'000;
constexpr size_t kUploadQueue = 2 * kBatchRecords;
constexpr size_t kOffers = 128;        // a descriptor each
constexpr size_t kIdsKept = 1u << 18;  // whose absence costs a second upload, or a wrong figure
constexpr int64_t kPauseAfterErrorMs = 1000;

Failure damaged(const ChunkId& id, bool found) {
  return error(Code::kCorrupt, "chunk {} is not stored yet, and this node's copy of it is {}", id.hex(),
               found ? "damaged" : "gone");
}

}  // namespace

Uploader::Uploader(Core& core)
    : core_(core),
      pace_(core.volume.clock(), core.options.upload_memory_bytes, core.options.upload_bytes_per_second),
      pool_("weir-put", core.options.upload_threads, kUploadQueue) {
  auto first_generation = core_.volume.new_serial();
  first_generation_ = first_generation ? *first_generation : UINT64_MAX;
  thread_ = std::thread([this] { run(); });
}

Uploader::~Uploader() {
  {
    MutexLock lock(mutex_);
    stopping_ = true;
  }
  pace_.stop();
  changed_.notify_all();
  thread_.join();
}

void Uploader::wake() {
  {
    MutexLock lock(mutex_);
    if (woken_) return;
    woken_ = true;
  }
  changed_.notify_all();
}

void Uploader::offer(EarlyChunk chunk) {
  {
    MutexLock lock(mutex_);
    if (offered_.size() == kOffers) return;
    offered_.push_back(std::move(chunk));
  }
  wake();
}

UploadStatus Uploader::status() const {
  UploadStatus status;
  {
    MutexLock lock(mutex_);
    status = counters_;
  }
  const cache::Usage usage = core_.cache.usage();
  status.backlog_bytes = usage.unstored_bytes;
  status.backlog_contents = usage.unstored_contents;
  status.bytes_per_second = pace_.bytes_per_second();
  auto oldest = core_.cache.unstored(0, 1);
  if (!oldest.empty()) status.oldest_age_ms = (core_.volume.clock().realtime_ns() - oldest[0].since_ns) / 1'000'000;
  return status;
}

uint64_t Uploader::drain(int64_t timeout_ms, const std::function<void(uint64_t)>& watch) {
  int64_t deadline_ns = core_.volume.clock().monotonic_ns() + timeout_ms * 1'000'000;
  wake();
  while (!core_.cache.unstored(0, 1).empty()) {
    uint64_t left_bytes = core_.cache.usage().unstored_bytes;
    if (watch) watch(left_bytes);
    if (core_.volume.clock().monotonic_ns() >= deadline_ns) return left_bytes;
    core_.volume.clock().sleep_ms(20);
  }
  return 0;
}

void Uploader::note_error(const Error& error) {
  MutexLock lock(mutex_);
  ++counters_.errors;
  if (counters_.last_error != error.what) log::warning("upload: {}", error.what);
  counters_.last_error = error.what;
}

void Uploader::run() {
  pthread_setname_np(pthread_self(), "weir-upload");
  while (true) {
    bool more = upload_batch();
    MutexLock lock(mutex_);
    if (stopping_) return;
    if (more) continue;
    // Something that could not be sent is tried again after a pause; something new at once.
    if (!woken_) changed_.wait_for_ms(mutex_, kPauseAfterErrorMs);
    woken_ = false;
    if (stopping_) return;
  }
}

bool Uploader::is_given_up(const ChunkId& id) {
  // Busy: somebody names it, and the collector will find that out.
  Status dropped = meta::drop_duty(core_.volume, id);
  if (!dropped && dropped.error().code != Code::kBusy) note_error(dropped.error());
  return dropped.has_value();
}

std::vector<Uploader::Task> Uploader::tasks_of(const std::vector<cache::Unstored>& records, std::set<ChunkId>& open,
                                               Status& outcome) {
  // Read before the records: a content whose publication was over by then is known to the volume, or never will be.
  bool none_in_publication = core_.open_publications == 0;
  std::vector<ChunkId> ids;
  for (const cache::Unstored& record : records) ids.insert(ids.end(), record.chunks.begin(), record.chunks.end());
  auto chunk_records = meta::chunk_records(core_.volume, ids);
  if (!chunk_records) {
    outcome = Failure(chunk_records.error());
    open.insert(ids.begin(), ids.end());
    return {};
  }
  const bool checks = !ids.empty() && store_checks();
  std::vector<Task> tasks;
  std::set<ChunkId> seen;
  for (size_t i = 0; i < ids.size(); ++i) {
    const auto& record = (*chunk_records)[i];
    if (!record && !none_in_publication) open.insert(ids[i]);
    if (!record || !seen.insert(ids[i]).second) continue;
    if (record->state == ChunkState::kCondemned && !(none_in_publication && is_given_up(ids[i]))) open.insert(ids[i]);
    const bool in_doubt = record->generation < first_generation_ || in_doubt_.contains(ids[i]);
    if (record->state == ChunkState::kStaged)
      tasks.push_back({ids[i], record->generation, record->length_bytes, in_doubt, checks});
    if (record->state == ChunkState::kStored && stored_early_.erase(ids[i]) == 0) {
      MutexLock lock(mutex_);
      counters_.deduplicated_bytes += record->length_bytes;
    }
  }
  return tasks;
}

Status Uploader::add_early(std::vector<Task>& tasks) {
  std::deque<EarlyChunk> offered;
  {
    MutexLock lock(mutex_);
    offered.swap(offered_);
  }
  if (offered.empty()) return {};
  std::vector<meta::AnnouncedChunk> announced;
  for (const EarlyChunk& chunk : offered) announced.push_back({chunk.id, chunk.length_bytes});
  FAULT_POINT("upload.announce.before");
  ASSIGN_OR_RETURN(auto generations, meta::announce_chunks(core_.volume, announced));
  FAULT_POINT("upload.announce.after");
  for (size_t i = 0; i < offered.size(); ++i) {
    if (!generations[i]) continue;
    tasks.push_back({offered[i].id, *generations[i], offered[i].length_bytes, false, false, std::move(offered[i])});
  }
  return {};
}

std::vector<cache::Unstored> Uploader::next_batch() {
  std::vector<cache::Unstored> records = core_.cache.unstored(0, kBatchRecords);
  uint64_t bytes = 0;
  size_t count = 0;
  while (count < records.size() && (count == 0 || bytes + records[count].bytes <= kBatchBytes))
    bytes += records[count++].bytes;
  records.resize(count);
  return records;
}

bool Uploader::upload_batch() {
  const std::vector<cache::Unstored> records = next_batch();
  std::set<ChunkId> open;  // chunks that are not in the store after this batch, for whatever reason
  Status outcome;
  std::vector<Task> tasks = tasks_of(records, open, outcome);
  if (Status added = add_early(tasks); !added) outcome = added;
  if (records.empty() && tasks.empty()) return false;
  // An object of a content that a power loss takes back would stay in the store for ever.
  if (Status named = tasks.empty() ? Status() : core_.volume.engine().barrier(); !named) {
    note_error(named.error());
    return false;
  }
  const int64_t last_start_ns = core_.volume.clock().monotonic_ns() + kBatchNs;
  for (Task& task : tasks) pool_.submit([this, &task, last_start_ns] { run_task(task, last_start_ns); });
  pool_.drain();

  std::vector<std::pair<ChunkId, uint64_t>> stored;
  bool more = false;
  for (const Task& task : tasks) {
    if (task.later) {
      more = true;
      open.insert(task.id);
    } else if (task.changed) {
      more = true;
    } else if (task.outcome) {
      stored.emplace_back(task.id, task.generation);
      in_doubt_.erase(task.id);
      if (task.early && stored_early_.size() < kIdsKept) stored_early_.insert(task.id);
    } else {
      open.insert(task.id);
      if (in_doubt_.size() == kIdsKept) in_doubt_.clear();
      in_doubt_.insert(task.id);
      outcome = task.outcome;
    }
  }
  FAULT_POINT("upload.note.before");
  Status noted = meta::mark_stored(core_.volume, stored);
  FAULT_POINT("upload.note.after");
  // The journal may forget only what the metadata remembers after a power loss.
  if (noted) noted = core_.volume.engine().barrier();
  if (!noted) outcome = noted;
  more = more && !stored.empty();
  for (const cache::Unstored& record : records) {
    bool all = noted.has_value();
    for (const ChunkId& id : record.chunks) all = all && !open.contains(id);
    if (!all) continue;
    FAULT_POINT("upload.forget.before");
    Status marked = core_.cache.mark_stored(record);
    FAULT_POINT("upload.forget.after");
    if (!marked) outcome = marked;
    more = more || marked;
  }
  if (!outcome) note_error(outcome.error());
  MutexLock lock(mutex_);
  return more && !stopping_;
}

void Uploader::run_task(Task& task, int64_t last_start_ns) {
  const uint64_t bytes = task.length_bytes;
  const bool stopped = !pace_.begin(bytes);
  task.later = stopped || core_.volume.clock().monotonic_ns() > last_start_ns;
  if (!task.later) task.outcome = upload(task);
  if (!stopped) pace_.end(bytes, !task.later && task.outcome);
}

Result<bool> Uploader::is_stored(const Task& task, const std::string& name) {
  ASSIGN_OR_RETURN(auto info, core_.store.head(name));
  // The name says which bytes belong to it: a store that checked them has them.
  return info && info->size == task.length_bytes && info->sha256 && ChunkId(*info->sha256) == task.id;
}

bool Uploader::store_checks() {
  if (store_checks_) return *store_checks_;
  Result<bool> checks = core_.store.checks_digests();
  if (checks) store_checks_ = *checks;
  return store_checks_.value_or(false);
}

Result<bool> Uploader::read_bytes(const Task& task, Bytes& bytes) {
  const auto same = [&] { return chunk_id_of(bytes) == task.id; };
  const std::span<char> room(bytes.data(), bytes.size());
  if (task.early) {
    ASSIGN_OR_RETURN(const size_t got, io::read_at(task.early->fd.get(), room.data(), room.size(), task.early->offset));
    return got == room.size() && same();
  }
  ASSIGN_OR_RETURN(const bool found, core_.cache.read_chunk(task.id, room));
  if (!found || !(task.checked_by_store || same())) return damaged(task.id, found);
  return true;
}

Status Uploader::upload(Task& task) {
  const std::string name = chunk_object_name(task.id, task.generation);
  if (task.in_doubt) {
    ASSIGN_OR_RETURN(const bool stored, is_stored(task, name));
    if (stored) {
      MutexLock lock(mutex_);
      counters_.found_bytes += task.length_bytes;
      return {};
    }
  }
  const ChunkBuffers::Buffer bytes = core_.buffers.take(task.length_bytes);
  ASSIGN_OR_RETURN(const bool unchanged, read_bytes(task, *bytes));
  task.changed = !unchanged;
  if (task.changed) return {};
  FAULT_POINT("upload.put.before");
  const Status put = core_.store.put(name, {*bytes, task.id.digest()});
  if (!put && put.error().code == Code::kCorrupt) return damaged(task.id, true);
  TRY(put);
  FAULT_POINT("upload.put.after");
  MutexLock lock(mutex_);
  ++counters_.uploaded_chunks;
  counters_.uploaded_bytes += bytes->size();
  return {};
}

}  // namespace weir::vfs
