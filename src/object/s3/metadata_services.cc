#include "object/s3/metadata_services.h"

#include <cstdlib>
#include <nlohmann/json.hpp>

#include "base/io.h"
#include "base/limits.h"
#include "object/s3/percent.h"
#include "object/s3/replies.h"

namespace weir::object {

namespace {

constexpr char kContainerOrigin[] = "http://169.254.170.2";
constexpr char kInstanceOrigin[] = "http://169.254.169.254";
constexpr char kRolePath[] = "/latest/meta-data/iam/security-credentials/";
constexpr char kTokenSeconds[] = "21600";

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

std::string first_line(std::string_view text) { return std::string(text.substr(0, text.find_first_of("\r\n"))); }

HttpRequest request_to(HttpRequest::Method method, std::string url) {
  HttpRequest request;
  request.method = method;
  request.url = std::move(url);
  request.proxied = false;
  request.timeout_ms = limits::kMetadataServiceMs;
  request.connect_timeout_ms = limits::kMetadataServiceConnectMs;
  return request;
}

Result<std::string> container_token() {
  std::string path = variable("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE");
  if (path.empty()) return variable("AWS_CONTAINER_AUTHORIZATION_TOKEN");
  ASSIGN_OR_RETURN(Bytes text, io::read_file(path));
  return first_line(text);
}

std::string container_url() {
  std::string relative = variable("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI");
  return relative.empty() ? variable("AWS_CONTAINER_CREDENTIALS_FULL_URI") : kContainerOrigin + relative;
}

Failure refused(std::string_view who, const HttpReply& reply) {
  return error(Code::kUnavailable, "{} answers with status {}", who, reply.status);
}

std::string text_of(const nlohmann::json& json, const char* name) {
  auto found = json.find(name);
  return found != json.end() && found->is_string() ? found->get<std::string>() : "";
}

}  // namespace

Result<Credentials> decode_service_credentials(std::string_view text) {
  auto json = nlohmann::json::parse(text, nullptr, false);
  if (!json.is_object()) return error(Code::kCorrupt, "the credentials that were handed out are no JSON object");
  Credentials credentials{text_of(json, "AccessKeyId"), text_of(json, "SecretAccessKey"), text_of(json, "Token"),
                          std::nullopt};
  if (credentials.access_key.empty() || credentials.secret_key.empty())
    return error(Code::kCorrupt, "the credentials that were handed out lack their key or its secret");
  if (std::string expiration = text_of(json, "Expiration"); !expiration.empty()) {
    credentials.expires_ns = decode_iso_time_ns(expiration);
    if (!credentials.expires_ns)
      return error(Code::kCorrupt, "the credentials that were handed out expire at no time that can be read");
  }
  return credentials;
}

Result<std::optional<Credentials>> ContainerCredentials::load() {
  std::string url = container_url();
  if (url.empty()) return std::nullopt;
  HttpRequest request = request_to(HttpRequest::Method::kGet, std::move(url));
  ASSIGN_OR_RETURN(std::string token, container_token());
  if (!token.empty()) request.headers.push_back({"Authorization", token});
  ASSIGN_OR_RETURN(HttpReply reply, http_.send(request));
  if (reply.status != 200) return refused(describe(), reply);
  return decode_service_credentials(reply.body);
}

Result<HttpReply> InstanceCredentials::ask(HttpRequest::Method method, std::string_view path,
                                           const HttpHeader& header) {
  std::string origin = variable("AWS_EC2_METADATA_SERVICE_ENDPOINT");
  if (origin.empty()) origin = kInstanceOrigin;
  while (origin.ends_with('/')) origin.pop_back();
  HttpRequest request = request_to(method, fmt::format("{}{}", origin, path));
  request.headers.push_back(header);
  return http_.send(request);
}

Result<std::optional<Credentials>> InstanceCredentials::load() {
  if (variable("AWS_EC2_METADATA_DISABLED") == "true") return std::nullopt;
  auto token =
      ask(HttpRequest::Method::kPut, "/latest/api/token", {"X-aws-ec2-metadata-token-ttl-seconds", kTokenSeconds});
  // Most machines are no instances of a cloud.
  if (!token || token->status != 200) return std::nullopt;
  HttpHeader proof{"X-aws-ec2-metadata-token", first_line(token->body)};
  ASSIGN_OR_RETURN(HttpReply role, ask(HttpRequest::Method::kGet, kRolePath, proof));
  if (role.status == 404) return std::nullopt;
  if (role.status != 200) return refused(describe(), role);
  std::string path = kRolePath + percent_encode(first_line(role.body));
  ASSIGN_OR_RETURN(HttpReply reply, ask(HttpRequest::Method::kGet, path, proof));
  if (reply.status != 200) return refused(describe(), reply);
  return decode_service_credentials(reply.body);
}

}  // namespace weir::object
