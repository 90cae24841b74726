#pragma once

#include <memory>
#include <vector>

#include "base/clock.h"
#include "base/mutex.h"
#include "object/s3/credentials.h"

namespace weir::object {

/// The credentials in force: from the first of its sources that has any, asked again before they expire.
/// Thread-safe.
class CredentialCache {
 public:
  /// Requires: `clock` outlives this.
  CredentialCache(std::vector<std::unique_ptr<CredentialSource>> sources, const Clock& clock)
      : sources_(std::move(sources)), clock_(clock) {}

  /// Blocks: while they are loaded; callers wait for one that loads. Access: no source has any. While credentials are
  /// still valid, a source that does not answer is only logged.
  Result<Credentials> get();
  /// The store called `refused` expired or unknown: the next get() loads others, unless that happened meanwhile.
  void forget(const Credentials& refused);

 private:
  bool expires_within_ms(int64_t span_ms) const REQUIRES(mutex_);
  Status load() REQUIRES(mutex_);

  const std::vector<std::unique_ptr<CredentialSource>> sources_;
  const Clock& clock_;
  Mutex mutex_;  // held while a source is asked: who needs credentials has nothing else to do
  std::optional<Credentials> current_ GUARDED_BY(mutex_);
  int64_t failed_at_ns_ GUARDED_BY(mutex_) = INT64_MIN / 2;  // by the monotonic clock
};

/// AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN.
class EnvironmentCredentials : public CredentialSource {
 public:
  Result<std::optional<Credentials>> load() override;
  std::string describe() const override { return "the environment"; }
};

}  // namespace weir::object
