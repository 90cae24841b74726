#pragma once

#include <atomic>
#include <functional>
#include <optional>
#include <set>
#include <vector>

#include "base/mutex.h"
#include "base/result.h"
#include "cache/database.h"
#include "cache/records.h"

namespace weir::cache {

struct Unstored;

/// What must not be lost: which content is not stored yet, the bytes of small ones, and staging records. What returned
/// survives process death; power loss after sync(). Thread-safe for different contents; for one content the caller
/// holds its lock. Calls block on the disk.
class Journal {
 public:
  explicit Journal(Database& database) : database_(database) {}

  using VisitImage = std::function<void(uint64_t sequence, const UnstoredImage& row)>;
  /// Counts what is there and gives all images. Once, before anything else.
  Status load(const VisitImage& visit);

  // Images.
  struct ImageRecord {
    uint64_t sequence = 0;
    UnstoredImage row;
  };
  Result<std::optional<ImageRecord>> find_image(const ManifestId& id);
  /// Replaces the image's record, if there is one, by this one with a new sequence. In the same step, when `staging_id`
  /// is not 0, its staging record goes, or is replaced by `*sealed`.
  Result<uint64_t> record_image(const UnstoredImage& row, const std::optional<ImageRecord>& old, uint64_t staging_id,
                                const std::optional<StagingRow>& sealed);
  /// Takes record_image() back.
  Status undo_image(const ManifestId& id, uint64_t sequence, const std::optional<ImageRecord>& old, uint64_t staging_id,
                    const std::optional<StagingRow>& staging);
  /// Same sequence, other contents.
  Status rewrite_image(const ImageRecord& old, const UnstoredImage& row);
  Status erase_image(const ImageRecord& record);

  // Small content.
  Status record_small(const ChunkId& id, std::string_view bytes, int64_t now_ns);
  Result<std::optional<Bytes>> get_small(const ChunkId& id);
  /// Nothing when it is not recorded.
  Result<std::optional<uint64_t>> small_sequence(const ChunkId& id);
  Status erase_small(const ChunkId& id, uint64_t sequence, uint64_t length_bytes);

  // The upload's view.
  Result<std::vector<Unstored>> unstored(uint64_t after, size_t limit);
  /// Blocks: until there is a newer record than `sequence`, or the time is over. The newest sequence.
  uint64_t wait(uint64_t sequence, int64_t timeout_ms);

  // Staging records.
  Status save_staging(uint64_t id, const StagingRow& row);
  Status erase_staging(uint64_t id);
  Status for_each_staging(const std::function<void(uint64_t id, StagingRow row)>& visit);

  Status sync() { return database_.sync_log(); }

  uint64_t unstored_bytes() const { return static_cast<uint64_t>(bytes_.load()); }
  uint64_t unstored_contents() const { return static_cast<uint64_t>(contents_.load()); }
  uint64_t small_contents() const { return static_cast<uint64_t>(small_contents_.load()); }
  uint64_t small_bytes() const { return static_cast<uint64_t>(small_bytes_.load()); }

 private:
  uint64_t begin();
  void end(uint64_t sequence);
  uint64_t newest() const REQUIRES(mutex_);

  Database& database_;
  std::atomic<int64_t> bytes_ = 0;
  std::atomic<int64_t> contents_ = 0;
  std::atomic<int64_t> small_contents_ = 0;
  std::atomic<int64_t> small_bytes_ = 0;
  mutable Mutex mutex_;
  ConditionVariable recorded_;
  uint64_t last_ GUARDED_BY(mutex_) = 0;
  // Being written: a reader must not step over them.
  std::set<uint64_t> in_flight_ GUARDED_BY(mutex_);
};

}  // namespace weir::cache
