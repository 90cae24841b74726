#include "object/s3/location.h"

#include <algorithm>
#include <cstdlib>
#include <filesystem>

#include "base/limits.h"
#include "object/object_name.h"
#include "object/s3/percent.h"
#include "object/s3/profile_files.h"
#include "object/s3/replies.h"

namespace weir::object {

namespace {

constexpr std::string_view kOptions = "endpoint, region, profile, style, ca and connections";
constexpr char kDefaultRegion[] = "us-east-1";

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

bool bucket_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '-' || c == '_';
}

bool plain_word(std::string_view text) { return std::all_of(text.begin(), text.end(), bucket_character); }

Status check_bucket(std::string_view bucket) {
  if (bucket.find('@') != std::string_view::npos || bucket.find(':') != std::string_view::npos)
    return error(Code::kInvalid,
                 "an s3:// URL must not have keys in it: they come from the environment, profile files or the machine");
  if (bucket.size() < 3 || bucket.size() > 63 || !plain_word(bucket) || bucket.front() == '.')
    return error(Code::kInvalid, "'{}' cannot be the name of a bucket: write s3://BUCKET/PREFIX", bucket);
  return {};
}

Result<std::string> checked_endpoint(std::string value) {
  while (value.ends_with('/')) value.pop_back();
  if (!value.starts_with("http://") && !value.starts_with("https://"))
    return error(Code::kInvalid, "the endpoint of an s3:// URL starts with http:// or https://");
  std::string_view host = std::string_view(value).substr(value.find("//") + 2);
  if (host.find('@') != std::string_view::npos)
    return error(Code::kInvalid, "the endpoint of an s3:// URL must not have a user or a password in it");
  constexpr std::string_view kHostCharacters = ".-_:[]";
  bool right = !host.empty() && std::all_of(host.begin(), host.end(), [&](char c) {
    return bucket_character(c) || kHostCharacters.find(c) != std::string_view::npos;
  });
  if (!right) return error(Code::kInvalid, "the endpoint of an s3:// URL is http[s]://HOST[:PORT], without a path");
  return value;
}

Result<std::string> checked_ca_file(const std::string& value) {
  std::error_code failure;
  std::filesystem::path path = std::filesystem::absolute(value, failure);
  if (failure) return error(Code::kIo, "the working directory is unknown: {}", failure.message());
  return path.lexically_normal().string();
}

Status set_style(S3Location& location, std::string_view value) {
  if (value != "path" && value != "virtual")
    return error(Code::kInvalid, "the style of an s3:// URL is 'path' or 'virtual'");
  location.style = value == "path" ? S3Location::Style::kPath : S3Location::Style::kVirtual;
  return {};
}

Status set_connections(S3Location& location, std::string_view value) {
  auto number = decode_number(value);
  if (!number || *number == 0 || *number > limits::kStoreConnectionsMax)
    return error(Code::kInvalid, "connections of an s3:// URL is a number from 1 to {}", limits::kStoreConnectionsMax);
  location.connections = *number;
  return {};
}

Status set_option(S3Location& location, std::string_view name, const std::string& value) {
  if (value.empty()) return error(Code::kInvalid, "the s3:// URL has an option without a value; leave it out instead");
  if (name == "style") return set_style(location, value);
  if (name == "connections") return set_connections(location, value);
  if (name == "endpoint") {
    ASSIGN_OR_RETURN(location.endpoint, checked_endpoint(value));
  } else if (name == "ca") {
    ASSIGN_OR_RETURN(location.ca_file, checked_ca_file(value));
  } else if (name == "region" || name == "profile") {
    if (!plain_word(value)) return error(Code::kInvalid, "the {} of an s3:// URL has a character that none has", name);
    (name == "region" ? location.region : location.profile) = value;
  } else {
    // Its name and value stay unsaid: they may be a key.
    return error(Code::kInvalid, "the s3:// URL has an unknown option; there are {}", kOptions);
  }
  return {};
}

Status set_options(S3Location& location, std::string_view query) {
  while (!query.empty()) {
    std::string_view pair = query.substr(0, query.find('&'));
    query.remove_prefix(std::min(query.size(), pair.size() + 1));
    size_t equals = pair.find('=');
    if (equals == std::string_view::npos)
      return error(Code::kInvalid, "the options of an s3:// URL are NAME=VALUE, joined by '&'");
    auto value = percent_decode(pair.substr(equals + 1));
    if (!value) return error(Code::kInvalid, "the s3:// URL has a '%' that no two hexadecimal digits follow");
    TRY(set_option(location, pair.substr(0, equals), *value));
  }
  return {};
}

}  // namespace

Result<S3Location> S3Location::parse(std::string_view url) {
  S3Location location;
  std::string_view rest = url.substr(std::min(url.size(), kS3Scheme.size()));
  size_t question = rest.find('?');
  std::string_view path = rest.substr(0, question);
  std::string_view prefix = path.substr(std::min(path.size(), path.find('/')));
  location.bucket = path.substr(0, path.find('/'));
  TRY(check_bucket(location.bucket));
  while (prefix.starts_with('/')) prefix.remove_prefix(1);
  while (prefix.ends_with('/')) prefix.remove_suffix(1);
  location.prefix = prefix;
  if (!prefix.empty() && !check_object_name(prefix))
    return error(Code::kInvalid,
                 "'{}' cannot be the prefix of an s3:// URL: letters, digits, '.', '_', '-' and '/' can", prefix);
  if (question != std::string_view::npos) TRY(set_options(location, rest.substr(question + 1)));
  return location;
}

Status S3Location::complete() {
  if (endpoint.empty()) {
    std::string found = variable("AWS_ENDPOINT_URL_S3");
    if (found.empty()) found = variable("AWS_ENDPOINT_URL");
    if (!found.empty()) {
      ASSIGN_OR_RETURN(endpoint, checked_endpoint(found));
    }
  }
  if (region.empty()) region = variable("AWS_REGION");
  if (region.empty()) region = variable("AWS_DEFAULT_REGION");
  if (region.empty()) {
    ASSIGN_OR_RETURN(region, region_of_profile(profile));
  }
  if (region.empty()) region = kDefaultRegion;
  if (!plain_word(region)) return error(Code::kInvalid, "the region that the environment names is none");
  return {};
}

std::string S3Location::url() const {
  std::string text = fmt::format("{}{}", kS3Scheme, bucket);
  if (!prefix.empty()) text += "/" + prefix;
  char separator = '?';
  auto add = [&](std::string_view name, std::string_view value) {
    if (value.empty()) return;
    // Slashes and colons mean nothing in a query, and people read this.
    std::string encoded;
    for (char c : value) encoded += c == ':' ? ":" : percent_encode_path(std::string_view(&c, 1));
    text += fmt::format("{}{}={}", separator, name, encoded);
    separator = '&';
  };
  add("endpoint", endpoint);
  add("region", region);
  add("profile", profile);
  if (style != Style::kUnsaid) add("style", style == Style::kPath ? "path" : "virtual");
  add("ca", ca_file);
  if (connections != 0) add("connections", std::to_string(connections));
  return text;
}

}  // namespace weir::object
