#pragma once

#include <map>
#include <string>
#include <string_view>

#include "object/s3/credentials.h"

/// The profile files of AWS's tools: AWS_SHARED_CREDENTIALS_FILE (default ~/.aws/credentials) and AWS_CONFIG_FILE
/// (default ~/.aws/config). All of these block.
namespace weir::object {

/// By section, then by name. Lines that are none are passed over, as AWS's tools do.
using ProfileSections = std::map<std::string, std::map<std::string, std::string>>;
ProfileSections parse_profiles(std::string_view text);

/// `profile`, or AWS_PROFILE, or "default".
std::string profile_name(const std::string& profile);

/// Empty when no file says one.
Result<std::string> region_of_profile(const std::string& profile);

class ProfileCredentials : public CredentialSource {
 public:
  /// An empty `profile` is as profile_name() says.
  explicit ProfileCredentials(std::string profile) : profile_(std::move(profile)) {}
  /// An error when a profile was asked for by name and is not there.
  Result<std::optional<Credentials>> load() override;
  std::string describe() const override;

 private:
  const std::string profile_;
};

}  // namespace weir::object
