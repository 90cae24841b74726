#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/mutex.h"

namespace weir::testing::s3 {

/// Immutable content of one object.
struct Object {
  std::string bytes;
  std::string sha256;  // raw
  int64_t modified_ns = 0;
  bool gave_checksum = false;  // x-amz-checksum-sha256 came with it
  std::string etag() const;    // in quotes; of the SHA-256, so it is no MD5
};
using ObjectPointer = std::shared_ptr<const Object>;

/// What a list says of an object.
struct ListedKey {
  std::string key;
  uint64_t size_bytes = 0;
  int64_t modified_ns = 0;
  std::string etag;
};

/// Buckets in memory. A change is seen whole by everyone once the call returned. Thread-safe; blocks nowhere.
class ObjectTable {
 public:
  enum class PutResult { kDone, kExists, kNoBucket };

  explicit ObjectTable(const Clock& clock) : clock_(clock) {}

  void make_bucket(std::string_view bucket);
  bool has_bucket(std::string_view bucket) const;
  /// `only_if_absent`: of several at once exactly one is done.
  PutResult put(std::string_view bucket, std::string_view key, ObjectPointer object, bool only_if_absent);
  /// Nothing when bucket or object is absent.
  ObjectPointer get(std::string_view bucket, std::string_view key) const;
  void remove(std::string_view bucket, std::string_view key);
  /// Keys greater than `after` with that prefix, in byte order, at most `limit`, as they were `age_ms` ago; how far
  /// back it can look is bounded by limits::kTestServerHistory changes.
  std::vector<ListedKey> list(std::string_view bucket, std::string_view prefix, std::string_view after, size_t limit,
                              int64_t age_ms) const;

  /// For tests that harm an object behind the server's back: it then holds `bytes`, and what it says of itself stays.
  void replace_bytes(std::string_view bucket, std::string_view key, std::string bytes);

 private:
  using Objects = std::map<std::string, ObjectPointer, std::less<>>;
  struct Change {
    int64_t time_ns = 0;
    std::string key;
    std::optional<ListedKey> before;  // nothing: it was absent
  };
  struct Bucket {
    Objects objects;
    std::deque<Change> history;
  };

  void change(Bucket& bucket, std::string_view key, ObjectPointer object) REQUIRES(mutex_);

  const Clock& clock_;
  mutable Mutex mutex_;
  std::map<std::string, Bucket, std::less<>> buckets_ GUARDED_BY(mutex_);
};

}  // namespace weir::testing::s3
