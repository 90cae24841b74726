#pragma once

#include <memory>
#include <span>
#include <string>

#include "base/clock.h"
#include "base/sha256.h"
#include "object/s3/credential_cache.h"
#include "object/s3/http.h"
#include "object/s3/location.h"
#include "object/s3/signature.h"

namespace weir::object {

/// One request to a bucket: `key` is whole, with the store's prefix; empty for the bucket itself.
struct S3Request {
  HttpRequest::Method method = HttpRequest::Method::kGet;
  std::string_view key;
  Query query;
  std::vector<HttpHeader> headers;  // beside those that every request has
  std::string_view body;
  std::optional<Sha256Digest> body_digest;  // nothing: there is no body
  std::span<char> into;
};

/// Signs requests to one bucket and sends them; asks for new credentials once when the store calls the old ones
/// expired. Thread-safe.
class S3Client {
 public:
  /// Requires: location.complete() was called; `clock` outlives this.
  S3Client(S3Location location, std::unique_ptr<Http> http, std::unique_ptr<CredentialCache> credentials,
           const Clock& clock);

  /// Blocks. Any status is an answer; errors are those of Http::send() and CredentialCache::get().
  Result<HttpReply> send(const S3Request& request);
  const S3Location& location() const { return location_; }

 private:
  Result<HttpReply> send_once(const S3Request& request, const Credentials& credentials);
  std::string path_of(std::string_view key) const;

  const S3Location location_;
  const std::unique_ptr<Http> http_;
  const std::unique_ptr<CredentialCache> credentials_;
  const Clock& clock_;
  std::string origin_;  // "https://bucket.s3.eu-west-1.amazonaws.com"
  std::string host_;    // as in the header
  bool path_style_ = false;
};

/// A client with libcurl below it and the usual sources of credentials.
Result<std::unique_ptr<S3Client>> connect_s3(S3Location location, const Clock& clock);

}  // namespace weir::object
