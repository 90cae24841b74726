#pragma once

#include <string>
#include <string_view>

#include "object/s3/credentials.h"
#include "object/s3/http.h"

/// Credentials that the machine or the container is given, over HTTP and never through a proxy.
namespace weir::object {

/// Of the answer of either service: AccessKeyId, SecretAccessKey, Token, Expiration. Input is untrusted: Corrupt.
Result<Credentials> decode_service_credentials(std::string_view json);

/// AWS_CONTAINER_CREDENTIALS_FULL_URI, or …_RELATIVE_URI at 169.254.170.2; with AWS_CONTAINER_AUTHORIZATION_TOKEN, or
/// what is in the file that …_TOKEN_FILE names. Not set up when neither URI is set.
class ContainerCredentials : public CredentialSource {
 public:
  /// Requires: `http` outlives this.
  explicit ContainerCredentials(Http& http) : http_(http) {}
  Result<std::optional<Credentials>> load() override;
  std::string describe() const override { return "the container's credentials service"; }

 private:
  Http& http_;
};

/// The instance metadata service, version 2 (with a token), at 169.254.169.254 or
/// AWS_EC2_METADATA_SERVICE_ENDPOINT. Not set up when nobody answers there, when the machine has no role, or when
/// AWS_EC2_METADATA_DISABLED is true.
class InstanceCredentials : public CredentialSource {
 public:
  /// Requires: `http` outlives this.
  explicit InstanceCredentials(Http& http) : http_(http) {}
  Result<std::optional<Credentials>> load() override;
  std::string describe() const override { return "the instance metadata service"; }

 private:
  Result<HttpReply> ask(HttpRequest::Method method, std::string_view path, const HttpHeader& header);

  Http& http_;
};

}  // namespace weir::object
