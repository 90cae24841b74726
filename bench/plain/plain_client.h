#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/sha256.h"

namespace weir::bench {

/// An S3 service and who asks it; path style.
struct PlainTarget {
  std::string endpoint;  // "http://127.0.0.1:7070", without a slash at the end
  std::string bucket;
  std::string region = "us-east-1";
  std::string access_key;
  std::string secret_key;
};

/// An object whose content is known. Keys have only letters, digits and "-._~/".
struct PlainObject {
  std::string key;
  uint64_t bytes = 0;
  Sha256Digest sha256{};
};

struct PlainOutcome {
  uint64_t bytes = 0;
  int64_t elapsed_ns = 0;
  double megabytes_per_second() const;
};

/// What the simplest program that does a volume's work reaches at the same server: libcurl and nothing else, one
/// connection a thread, no retries. It is the measure for Weir's own reads and uploads. All of these block.
///
/// Gets every object, `parallel` at once, checks its SHA-256 and writes it to `path`, one object behind the other.
/// Corrupt when a digest is another one; Unavailable when a request fails.
Result<PlainOutcome> plain_get(const PlainTarget& target, const std::vector<PlainObject>& objects, size_t parallel,
                               const std::string& path);
/// Puts `contents[i]` as `objects[i]`, `parallel` at once, each with its SHA-256, which is computed while the time
/// runs.
Result<PlainOutcome> plain_put(const PlainTarget& target, const std::vector<PlainObject>& objects,
                               const std::vector<std::string>& contents, size_t parallel);

}  // namespace weir::bench
