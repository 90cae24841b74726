#include "cache/journal.h"

#include <algorithm>
#include <unordered_set>

#include "base/check.h"
#include "base/fault_point.h"
#include "cache/cache.h"
#include "model/chunk.h"

namespace weir::cache {

namespace {

// docs/formats.md, "Cache directory".
constexpr std::string_view kRecordPrefix = "u";
constexpr std::string_view kStagingPrefix = "g";

Bytes numbered(std::string_view prefix, uint64_t value) {
  Encoder encoder;
  encoder.raw(prefix).u64(value);
  return std::move(encoder).take();
}
Bytes record_key(uint64_t sequence) { return numbered(kRecordPrefix, sequence); }
Bytes staging_key(uint64_t id) { return numbered(kStagingPrefix, id); }
Bytes image_key(const ManifestId& id) { return "I" + Bytes(id.bytes()); }
Bytes small_key(const ChunkId& id) { return "n" + Bytes(id.bytes()); }
Bytes bytes_key(const ChunkId& id) { return "s" + Bytes(id.bytes()); }
Bytes number(uint64_t value) { return numbered({}, value); }

Unstored describe(uint64_t sequence, const UnstoredImage& row) {
  Unstored record{.sequence = sequence, .image = row.id, .since_ns = row.since_ns};
  std::unordered_set<ChunkId> seen;
  for (const auto& [index, chunk] : row.chunks) {
    if (!seen.insert(chunk).second) continue;
    record.chunks.push_back(chunk);
    record.bytes += chunk_length(row.size, index);
  }
  return record;
}

int64_t bytes_of(const UnstoredImage& row) { return static_cast<int64_t>(describe(0, row).bytes); }

Result<Unstored> decode(std::string_view key, std::string_view value) {
  uint64_t sequence = Decoder(key.substr(kRecordPrefix.size())).u64();
  ASSIGN_OR_RETURN(UnstoredKind kind, unstored_kind(value));
  if (kind == UnstoredKind::kImage) {
    ASSIGN_OR_RETURN(UnstoredImage image, UnstoredImage::decode(value));
    return describe(sequence, image);
  }
  ASSIGN_OR_RETURN(UnstoredSmall small, UnstoredSmall::decode(value));
  return Unstored{.sequence = sequence, .chunks = {small.id}, .bytes = small.length_bytes, .since_ns = small.since_ns};
}

}  // namespace

uint64_t Journal::begin() {
  MutexLock lock(mutex_);
  in_flight_.insert(++last_);
  return last_;
}

void Journal::end(uint64_t sequence) {
  MutexLock lock(mutex_);
  in_flight_.erase(sequence);
  recorded_.notify_all();
}

uint64_t Journal::newest() const { return in_flight_.empty() ? last_ : *in_flight_.begin() - 1; }

Status Journal::load(const VisitImage& visit) {
  Status failed;
  uint64_t last = 0;
  TRY(database_.scan(kRecordPrefix, kRecordPrefix, [&](std::string_view key, std::string_view value) {
    Result<Unstored> record = decode(key, value);
    if (!record) {
      failed = Failure(record.error());
      return false;
    }
    last = record->sequence;
    bytes_ += static_cast<int64_t>(record->bytes);
    ++contents_;
    if (record->image.is_zero()) {
      ++small_contents_;
      small_bytes_ += static_cast<int64_t>(record->bytes);
    } else {
      visit(record->sequence, *UnstoredImage::decode(value));
    }
    return true;
  }));
  MutexLock lock(mutex_);
  last_ = last;
  return failed;
}

Result<std::optional<Journal::ImageRecord>> Journal::find_image(const ManifestId& id) {
  ASSIGN_OR_RETURN(std::optional<Bytes> sequence, database_.get(image_key(id)));
  if (!sequence) return std::optional<ImageRecord>();
  ImageRecord record{.sequence = Decoder(*sequence).u64(), .row = {}};
  ASSIGN_OR_RETURN(std::optional<Bytes> value, database_.get(record_key(record.sequence)));
  if (!value) return error(Code::kCorrupt, "journal has no record {} of image {}", record.sequence, id.hex());
  ASSIGN_OR_RETURN(record.row, UnstoredImage::decode(*value));
  return std::optional<ImageRecord>(std::move(record));
}

Result<uint64_t> Journal::record_image(const UnstoredImage& row, const std::optional<ImageRecord>& old,
                                       uint64_t staging_id, const std::optional<StagingRow>& sealed) {
  const uint64_t sequence = begin();
  Batch batch;
  if (old) batch.erase(record_key(old->sequence));
  batch.put(record_key(sequence), row.encode());
  batch.put(image_key(row.id), number(sequence));
  if (staging_id != 0 && sealed) batch.put(staging_key(staging_id), sealed->encode());
  if (staging_id != 0 && !sealed) batch.erase(staging_key(staging_id));
  FAULT_POINT("journal.image.before");
  Status written = database_.write(batch, Log::kProcess);
  FAULT_POINT("journal.image.after");
  if (written) bytes_ += bytes_of(row) - (old ? bytes_of(old->row) : 0);
  if (written && !old) ++contents_;
  end(sequence);
  TRY(written);
  return sequence;
}

Status Journal::undo_image(const ManifestId& id, uint64_t sequence, const std::optional<ImageRecord>& old,
                           uint64_t staging_id, const std::optional<StagingRow>& staging) {
  ASSIGN_OR_RETURN(std::optional<ImageRecord> record, find_image(id));
  CHECK(record && record->sequence == sequence);
  Batch batch;
  batch.erase(record_key(sequence));
  batch.erase(image_key(id));
  if (old) {
    batch.put(record_key(old->sequence), old->row.encode());
    batch.put(image_key(id), number(old->sequence));
  }
  if (staging) batch.put(staging_key(staging_id), staging->encode());
  TRY(database_.write(batch, Log::kProcess));
  bytes_ -= bytes_of(record->row) - (old ? bytes_of(old->row) : 0);
  if (!old) --contents_;
  return {};
}

Status Journal::rewrite_image(const ImageRecord& old, const UnstoredImage& row) {
  Batch batch;
  batch.put(record_key(old.sequence), row.encode());
  TRY(database_.write(batch, Log::kProcess));
  bytes_ += bytes_of(row) - bytes_of(old.row);
  return {};
}

Status Journal::erase_image(const ImageRecord& record) {
  Batch batch;
  batch.erase(record_key(record.sequence));
  batch.erase(image_key(record.row.id));
  TRY(database_.write(batch, Log::kProcess));
  bytes_ -= bytes_of(record.row);
  --contents_;
  return {};
}

Status Journal::record_small(const ChunkId& id, std::string_view bytes, int64_t now_ns) {
  ASSIGN_OR_RETURN(std::optional<uint64_t> old, small_sequence(id));
  const uint64_t sequence = begin();
  Batch batch;
  if (old) batch.erase(record_key(*old));
  if (!old) batch.put(bytes_key(id), bytes);
  batch.put(small_key(id), number(sequence));
  batch.put(record_key(sequence), UnstoredSmall{id, static_cast<uint32_t>(bytes.size()), now_ns}.encode());
  FAULT_POINT("journal.small.before");
  Status written = database_.write(batch, Log::kProcess);
  FAULT_POINT("journal.small.after");
  if (written && !old) {
    bytes_ += static_cast<int64_t>(bytes.size());
    small_bytes_ += static_cast<int64_t>(bytes.size());
    ++small_contents_;
    ++contents_;
  }
  end(sequence);
  return written;
}

Result<std::optional<Bytes>> Journal::get_small(const ChunkId& id) {
  if (small_contents_ == 0) return std::optional<Bytes>();
  return database_.get(bytes_key(id));
}

Result<std::optional<uint64_t>> Journal::small_sequence(const ChunkId& id) {
  if (small_contents_ == 0) return std::optional<uint64_t>();
  ASSIGN_OR_RETURN(std::optional<Bytes> value, database_.get(small_key(id)));
  if (!value) return std::optional<uint64_t>();
  return std::optional<uint64_t>(Decoder(*value).u64());
}

Status Journal::erase_small(const ChunkId& id, uint64_t sequence, uint64_t length_bytes) {
  Batch batch;
  batch.erase(record_key(sequence));
  batch.erase(small_key(id));
  batch.erase(bytes_key(id));
  TRY(database_.write(batch, Log::kProcess));
  bytes_ -= static_cast<int64_t>(length_bytes);
  small_bytes_ -= static_cast<int64_t>(length_bytes);
  --small_contents_;
  --contents_;
  return {};
}

Result<std::vector<Unstored>> Journal::unstored(uint64_t after, size_t limit) {
  uint64_t last;
  {
    MutexLock lock(mutex_);
    last = newest();
  }
  std::vector<Unstored> records;
  if (limit == 0 || after >= last) return records;
  Status failed;
  TRY(database_.scan(kRecordPrefix, record_key(after + 1), [&](std::string_view key, std::string_view value) {
    Result<Unstored> record = decode(key, value);
    if (!record) failed = Failure(record.error());
    if (!record || record->sequence > last) return false;
    records.push_back(std::move(*record));
    return records.size() < limit;
  }));
  TRY(failed);
  return records;
}

uint64_t Journal::wait(uint64_t sequence, int64_t timeout_ms) {
  MutexLock lock(mutex_);
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::milliseconds(timeout_ms);
  while (newest() <= sequence) {
    auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
    if (left.count() <= 0 || !recorded_.wait_for_ms(mutex_, left.count())) break;
  }
  return newest();
}

Status Journal::save_staging(uint64_t id, const StagingRow& row) {
  Batch batch;
  batch.put(staging_key(id), row.encode());
  FAULT_POINT("journal.staging.before");
  TRY(database_.write(batch, Log::kProcess));
  FAULT_POINT("journal.staging.after");
  return {};
}

Status Journal::erase_staging(uint64_t id) {
  Batch batch;
  batch.erase(staging_key(id));
  return database_.write(batch, Log::kProcess);
}

Status Journal::for_each_staging(const std::function<void(uint64_t id, StagingRow row)>& visit) {
  Status failed;
  TRY(database_.scan(kStagingPrefix, kStagingPrefix, [&](std::string_view key, std::string_view value) {
    Result<StagingRow> row = StagingRow::decode(value);
    if (!row) {
      failed = Failure(row.error());
      return false;
    }
    visit(Decoder(key.substr(kStagingPrefix.size())).u64(), std::move(*row));
    return true;
  }));
  return failed;
}

}  // namespace weir::cache
