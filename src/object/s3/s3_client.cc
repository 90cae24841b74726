#include "object/s3/s3_client.h"

#include <cstdlib>

#include "base/hex.h"
#include "base/limits.h"
#include "object/s3/curl_http.h"
#include "object/s3/metadata_services.h"
#include "object/s3/percent.h"
#include "object/s3/profile_files.h"
#include "object/s3/replies.h"

namespace weir::object {

namespace {

constexpr std::string_view kEmptySha256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
constexpr char kUserAgent[] = "weir";

std::string hex_of(const Sha256Digest& digest) {
  return to_hex(std::string_view(reinterpret_cast<const char*>(digest.data()), digest.size()));
}

std::string endpoint_of(const S3Location& location) {
  if (!location.endpoint.empty()) return location.endpoint;
  std::string_view domain = location.region.starts_with("cn-") ? "amazonaws.com.cn" : "amazonaws.com";
  return fmt::format("https://s3.{}.{}", location.region, domain);
}

/// TLS knows no certificate for a bucket with dots before the endpoint's name.
bool wants_path_style(const S3Location& location) {
  if (location.style != S3Location::Style::kUnsaid) return location.style == S3Location::Style::kPath;
  bool amazon = location.endpoint.empty() || location.endpoint.ends_with(".amazonaws.com");
  return !amazon || location.bucket.find('.') != std::string::npos;
}

/// As it goes into the header "host": without the scheme's own port.
std::string host_of(const std::string& origin) {
  std::string host = origin.substr(origin.find("//") + 2);
  std::string_view usual = origin.starts_with("https://") ? ":443" : ":80";
  if (host.ends_with(usual)) host.resize(host.size() - usual.size());
  return host;
}

bool calls_credentials_expired(const HttpReply& reply) {
  if (reply.status < 400 || reply.status >= 500) return false;
  std::string code = decode_error(reply).code;
  return code == "ExpiredToken" || code == "ExpiredTokenException" || code == "TokenRefreshRequired" ||
         code == "InvalidToken";
}

std::string ca_file_of(const S3Location& location) {
  if (!location.ca_file.empty()) return location.ca_file;
  const char* named = std::getenv("AWS_CA_BUNDLE");
  return named == nullptr ? "" : named;
}

}  // namespace

S3Client::S3Client(S3Location location, std::unique_ptr<Http> http, std::unique_ptr<CredentialCache> credentials,
                   const Clock& clock)
    : location_(std::move(location)),
      http_(std::move(http)),
      credentials_(std::move(credentials)),
      clock_(clock),
      origin_(endpoint_of(location_)),
      path_style_(wants_path_style(location_)) {
  if (!path_style_) origin_.insert(origin_.find("//") + 2, location_.bucket + ".");
  host_ = host_of(origin_);
}

std::string S3Client::path_of(std::string_view key) const {
  if (!path_style_) return "/" + percent_encode_path(key);
  return fmt::format("/{}{}{}", location_.bucket, key.empty() ? "" : "/", percent_encode_path(key));
}

Result<HttpReply> S3Client::send(const S3Request& request) {
  ASSIGN_OR_RETURN(Credentials credentials, credentials_->get());
  ASSIGN_OR_RETURN(HttpReply reply, send_once(request, credentials));
  if (!calls_credentials_expired(reply)) return reply;
  credentials_->forget(credentials);
  ASSIGN_OR_RETURN(Credentials fresh, credentials_->get());
  return send_once(request, fresh);
}

Result<HttpReply> S3Client::send_once(const S3Request& request, const Credentials& credentials) {
  const std::string time = signing_time(clock_.realtime_ns());
  const std::string body_sha256 = request.body_digest ? hex_of(*request.body_digest) : std::string(kEmptySha256);
  const std::string path = path_of(request.key);

  HttpRequest http;
  http.method = request.method;
  http.body = request.body;
  http.into = request.into;
  http.timeout_ms = limits::kStoreRequestMs;
  http.headers = request.headers;
  http.headers.push_back({"host", host_});
  http.headers.push_back({"x-amz-date", time});
  http.headers.push_back({"x-amz-content-sha256", body_sha256});
  if (!credentials.session_token.empty()) http.headers.push_back({"x-amz-security-token", credentials.session_token});
  std::string query = encoded_query(request.query);
  http.url = fmt::format("{}{}{}{}", origin_, path, query.empty() ? "" : "?", query);
  ToSign to_sign{method_name(request.method), path, request.query, http.headers, body_sha256};
  http.headers.push_back({"authorization", authorization(to_sign, {time, location_.region, "s3"}, credentials)});
  return http_->send(http);
}

Result<std::unique_ptr<S3Client>> connect_s3(S3Location location, const Clock& clock) {
  TRY(location.complete());
  size_t connections = location.connections > 0 ? location.connections : limits::kStoreConnections;
  ASSIGN_OR_RETURN(auto http, CurlHttp::create({connections, ca_file_of(location), kUserAgent}));
  std::vector<std::unique_ptr<CredentialSource>> sources;
  // A profile that the URL names is meant to be used whatever else there is.
  if (location.profile.empty()) sources.push_back(std::make_unique<EnvironmentCredentials>());
  sources.push_back(std::make_unique<ProfileCredentials>(location.profile));
  if (location.profile.empty()) {
    sources.push_back(std::make_unique<ContainerCredentials>(*http));
    sources.push_back(std::make_unique<InstanceCredentials>(*http));
  }
  auto credentials = std::make_unique<CredentialCache>(std::move(sources), clock);
  return std::make_unique<S3Client>(std::move(location), std::move(http), std::move(credentials), clock);
}

}  // namespace weir::object
