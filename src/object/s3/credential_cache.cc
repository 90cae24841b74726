#include "object/s3/credential_cache.h"

#include <cstdlib>

#include "base/limits.h"
#include "base/log.h"

namespace weir::object {

namespace {

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

}  // namespace

Result<Credentials> CredentialCache::get() {
  MutexLock lock(mutex_);
  if (current_ && !expires_within_ms(limits::kCredentialsEarlyMs)) return *current_;
  const bool usable = current_ && !expires_within_ms(0);
  const int64_t now_ns = clock_.monotonic_ns();
  if (usable && now_ns - failed_at_ns_ < limits::kCredentialsPauseMs * 1'000'000) return *current_;
  Status loaded = load();
  if (!loaded && !usable) return Failure(loaded.error());
  if (!loaded) {
    failed_at_ns_ = now_ns;
    log::warning("credentials that will expire soon cannot be renewed yet: {}", loaded.error().what);
  }
  return *current_;
}

void CredentialCache::forget(const Credentials& refused) {
  MutexLock lock(mutex_);
  if (current_ && current_->access_key == refused.access_key && current_->session_token == refused.session_token)
    current_.reset();
}

bool CredentialCache::expires_within_ms(int64_t span_ms) const {
  return current_->expires_ns && *current_->expires_ns - clock_.realtime_ns() <= span_ms * 1'000'000;
}

Status CredentialCache::load() {
  std::string asked;
  for (const auto& source : sources_) {
    ASSIGN_OR_RETURN(std::optional<Credentials> found, source->load());
    if (found) {
      current_ = std::move(found);
      return {};
    }
    asked += (asked.empty() ? "" : ", ") + source->describe();
  }
  return error(Code::kAccess,
               "there are no credentials for S3 ({} have none); set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
               asked);
}

Result<std::optional<Credentials>> EnvironmentCredentials::load() {
  Credentials credentials{variable("AWS_ACCESS_KEY_ID"), variable("AWS_SECRET_ACCESS_KEY"),
                          variable("AWS_SESSION_TOKEN"), std::nullopt};
  if (credentials.access_key.empty() && credentials.secret_key.empty()) return std::nullopt;
  if (credentials.access_key.empty() || credentials.secret_key.empty())
    return error(Code::kAccess, "only one of AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY is set; set both");
  return credentials;
}

}  // namespace weir::object
