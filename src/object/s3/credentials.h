#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "base/result.h"

namespace weir::object {

/// Secrets: never logged, shown or kept outside of this process's memory.
struct Credentials {
  std::string access_key;
  std::string secret_key;
  std::string session_token;          // empty: none
  std::optional<int64_t> expires_ns;  // by the real-time clock; nothing: not by themselves
};

/// Where credentials come from. Implementations: EnvironmentCredentials, ProfileCredentials, ContainerCredentials,
/// InstanceCredentials. Thread rule: one thread at a time.
class CredentialSource {
 public:
  virtual ~CredentialSource() = default;
  /// Nothing when this source is not set up on this machine; an error when it is, and does not work. Blocks.
  virtual Result<std::optional<Credentials>> load() = 0;
  /// For messages: "the profile 'default' of /root/.aws/credentials". Never a secret.
  virtual std::string describe() const = 0;
};

}  // namespace weir::object
