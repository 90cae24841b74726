#include "testing/s3/instance_metadata.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "testing/s3/times.h"

namespace weir::testing::s3 {
namespace {

constexpr std::string_view kRoles = "/latest/meta-data/iam/security-credentials/";
constexpr std::string_view kRole = "weir-role";
constexpr std::string_view kToken = "weir-metadata-token";
constexpr int64_t kNsPerSecond = 1'000'000'000;

Response text_response(int status, std::string text) {
  Response response;
  response.status = status;
  response.headers = {{"Content-Type", "text/plain"}};
  response.body = body_of(std::move(text));
  return response;
}

nlohmann::json json_of(const Credential& credential) {
  return {{"AccessKeyId", credential.access_key},
          {"SecretAccessKey", credential.secret_key},
          {"Token", credential.session_token},
          {"Expiration", iso_time(credential.expires_seconds * kNsPerSecond).substr(0, 19) + "Z"}};
}

}  // namespace

void InstanceMetadata::set(const Settings& settings) {
  MutexLock lock(mutex_);
  settings_ = settings;
  current_.reset();
}

void InstanceMetadata::rotate() {
  MutexLock lock(mutex_);
  current_.reset();
}

InstanceMetadata::Requests InstanceMetadata::requests() const {
  MutexLock lock(mutex_);
  return requests_;
}

std::optional<Response> InstanceMetadata::answer(const Request& request) {
  MutexLock lock(mutex_);
  const bool own = request.path.starts_with("/latest/") || request.path.starts_with("/ecs/");
  if (!own) return std::nullopt;
  if (settings_.status != 200) return text_response(settings_.status, "the metadata service is told to fail\n");
  if (request.method == "PUT" && request.path == "/latest/api/token") return token(request);
  if (request.method != "GET") return text_response(405, "");
  if (request.path == kRoles) return role_names(request);
  if (request.path == fmt::format("{}{}", kRoles, kRole)) return role(request);
  if (request.path == "/ecs/credentials") return container(request);
  return text_response(404, "");
}

Response InstanceMetadata::token(const Request& request) {
  requests_.tokens++;
  if (!request.header("x-aws-ec2-metadata-token-ttl-seconds")) return text_response(400, "");
  return text_response(200, std::string(kToken));
}

bool InstanceMetadata::has_token(const Request& request) const {
  return request.header("x-aws-ec2-metadata-token") == kToken;
}

Response InstanceMetadata::role_names(const Request& request) {
  return has_token(request) ? text_response(200, std::string(kRole)) : text_response(401, "");
}

Response InstanceMetadata::role(const Request& request) {
  if (!has_token(request)) return text_response(401, "");
  requests_.credentials++;
  nlohmann::json document = json_of(current());
  document["Code"] = "Success";
  document["Type"] = "AWS-HMAC";
  document["LastUpdated"] = iso_time(now_seconds_() * kNsPerSecond).substr(0, 19) + "Z";
  return text_response(200, document.dump());
}

Response InstanceMetadata::container(const Request& request) {
  if (request.header("authorization").value_or("") != settings_.container_token) return text_response(401, "");
  requests_.credentials++;
  nlohmann::json document = json_of(current());
  document["RoleArn"] = "arn:aws:iam::123456789012:role/weir-role";
  return text_response(200, document.dump());
}

const Credential& InstanceMetadata::current() {
  const int64_t now = now_seconds_();
  if (!current_ || current_->expires_seconds - settings_.renew_seconds <= now) {
    const uint64_t number = ++requests_.issued;
    current_ = Credential{.access_key = fmt::format("ASIAWEIR{:012}", number),
                          .secret_key = fmt::format("metadata-secret-{}", number),
                          .session_token = fmt::format("metadata/session+token={}", number),
                          .expires_seconds = now + settings_.lifetime_seconds};
    credentials_.set(*current_);
  }
  return *current_;
}

}  // namespace weir::testing::s3
