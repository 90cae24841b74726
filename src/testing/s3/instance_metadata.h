#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "base/mutex.h"
#include "testing/s3/credential_table.h"
#include "testing/s3/message.h"

namespace weir::testing::s3 {

/// Credentials as a machine's metadata service gives them (IMDSv2), and as a container's does: short-lived, and new
/// ones when the old ones end soon. What it gives out may sign at the server. Thread-safe; blocks nowhere.
///
/// Paths: PUT /latest/api/token; GET /latest/meta-data/iam/security-credentials/ and …/weir-role; GET /ecs/credentials.
class InstanceMetadata {
 public:
  struct Settings {
    int64_t lifetime_seconds = 3600;
    int64_t renew_seconds = 300;  // so long before the end of the old ones it gives new ones
    std::string container_token;  // what /ecs/credentials wants as Authorization; empty: nothing
    int status = 200;             // any other: it answers everything so
  };
  struct Requests {
    uint64_t tokens = 0;
    uint64_t credentials = 0;  // both ways
    uint64_t issued = 0;       // sets of credentials
  };

  InstanceMetadata(CredentialTable& credentials, std::function<int64_t()> now_seconds)
      : credentials_(credentials), now_seconds_(std::move(now_seconds)) {}

  void set(const Settings& settings);
  /// The next request gets new credentials; the old ones stay good until they end.
  void rotate();
  Requests requests() const;
  /// Nothing when the path is none of its own.
  std::optional<Response> answer(const Request& request);

 private:
  Response token(const Request& request) REQUIRES(mutex_);
  Response role_names(const Request& request) REQUIRES(mutex_);
  Response role(const Request& request) REQUIRES(mutex_);
  Response container(const Request& request) REQUIRES(mutex_);
  bool has_token(const Request& request) const REQUIRES(mutex_);
  const Credential& current() REQUIRES(mutex_);

  CredentialTable& credentials_;
  const std::function<int64_t()> now_seconds_;
  mutable Mutex mutex_;
  Settings settings_ GUARDED_BY(mutex_);
  Requests requests_ GUARDED_BY(mutex_);
  std::optional<Credential> current_ GUARDED_BY(mutex_);
};

}  // namespace weir::testing::s3
