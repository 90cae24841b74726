#include "testing/s3/signature.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>

#include "base/hex.h"
#include "base/limits.h"
#include "testing/s3/digests.h"
#include "testing/s3/times.h"
#include "testing/s3/uri.h"

namespace weir::testing::s3 {
namespace {

constexpr std::string_view kAlgorithm = "AWS4-HMAC-SHA256";

std::vector<std::string> split(std::string_view text, char separator) {
  std::vector<std::string> parts;
  while (true) {
    const size_t end = text.find(separator);
    parts.emplace_back(text.substr(0, end));
    if (end == std::string_view::npos) return parts;
    text.remove_prefix(end + 1);
  }
}

std::string lower(std::string_view text) {
  std::string result(text);
  std::transform(result.begin(), result.end(), result.begin(), [](unsigned char byte) { return std::tolower(byte); });
  return result;
}

/// Blanks in a row count as one.
std::string squeezed(std::string_view text) {
  std::string result;
  for (const char byte : text) {
    if (byte != ' ' || result.empty() || result.back() != ' ') result += byte;
  }
  return result;
}

std::optional<std::string> canonical_query(const Request& request) {
  const auto query = parse_query(request.query);
  if (!query) return std::nullopt;
  Query encoded;
  for (const auto& [name, value] : *query) {
    encoded.emplace_back(uri_encode(name, Slashes::kEncode), uri_encode(value, Slashes::kEncode));
  }
  std::sort(encoded.begin(), encoded.end());
  std::string text;
  for (const auto& [name, value] : encoded) text += fmt::format("{}{}={}", text.empty() ? "" : "&", name, value);
  return text;
}

std::optional<std::string> canonical_headers(const Request& request, const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) {
    const auto value = request.joined_header(name);
    if (!value) return std::nullopt;
    text += fmt::format("{}:{}\n", name, squeezed(*value));
  }
  return text;
}

std::optional<std::string> canonical_request(const Request& request, const std::vector<std::string>& names,
                                             std::string_view payload) {
  const auto path = uri_decode(request.path, false);
  const auto query = canonical_query(request);
  const auto headers = canonical_headers(request, names);
  if (!path || !query || !headers) return std::nullopt;
  return fmt::format("{}\n{}\n{}\n{}\n{}\n{}", request.method, uri_encode(*path, Slashes::kKeep), *query, *headers,
                     fmt::join(names, ";"), payload);
}

/// The part of an Authorization header behind `name`.
std::optional<std::string> field(std::string_view value, std::string_view name) {
  for (const std::string& part : split(value, ',')) {
    const std::string_view text = std::string_view(part).substr(std::min(part.size(), part.find_first_not_of(' ')));
    if (text.starts_with(name)) return std::string(text.substr(name.size()));
  }
  return std::nullopt;
}

S3Error malformed(std::string_view sentence, std::string detail = "") {
  return {400, "AuthorizationHeaderMalformed", fmt::format("The authorization header is malformed; {}", sentence),
          std::move(detail)};
}

/// What S3 wants to be signed and was not: the host, and all headers of its own.
bool leaves_out_headers(const Request& request, const std::vector<std::string>& names) {
  const auto is_signed = [&](const std::string& name) {
    return std::find(names.begin(), names.end(), name) != names.end();
  };
  if (!is_signed("host")) return true;
  return std::any_of(request.headers.begin(), request.headers.end(), [&](const auto& header) {
    const std::string name = lower(header.first);
    return name.starts_with("x-amz-") && !is_signed(name);
  });
}

std::optional<S3Error> scope_problem(const Authorization& authorization, std::string_view region,
                                     std::string_view time) {
  if (authorization.region != region) {
    return malformed(fmt::format("the region '{}' is wrong; expecting '{}'", authorization.region, region),
                     fmt::format("<Region>{}</Region>", region));
  }
  if (authorization.service != "s3") {
    return malformed(fmt::format("incorrect service \"{}\". This endpoint belongs to \"s3\".", authorization.service));
  }
  if (authorization.date != time.substr(0, 8)) {
    return malformed(fmt::format("Invalid credential date \"{}\". This date is not the same as X-Amz-Date: \"{}\".",
                                 authorization.date, time.substr(0, 8)));
  }
  return std::nullopt;
}

std::optional<S3Error> token_problem(const Request& request, const Credential& credential, int64_t now_seconds) {
  const auto token = request.header("x-amz-security-token");
  if (credential.session_token.empty() && !token) return std::nullopt;
  if (!token) {
    return S3Error{403, "InvalidAccessKeyId", "The AWS Access Key Id you provided does not exist in our records.", ""};
  }
  if (*token != credential.session_token) {
    return S3Error{400, "InvalidToken", "The provided token is malformed or otherwise invalid.", ""};
  }
  if (credential.expires_seconds != 0 && credential.expires_seconds <= now_seconds) {
    return S3Error{400, "ExpiredToken", "The provided token has expired.", ""};
  }
  return std::nullopt;
}

std::optional<S3Error> time_problem(std::optional<std::string_view> time, int64_t now_seconds) {
  const auto seconds = time ? parse_compact_time(*time) : std::nullopt;
  if (!seconds)
    return S3Error{403, "AccessDenied", "AWS authentication requires a valid Date or x-amz-date header", ""};
  if (std::abs(*seconds - now_seconds) * 1000 > limits::kTestServerSkewMs) {
    return S3Error{403, "RequestTimeTooSkewed",
                   "The difference between the request time and the current time is too large.", ""};
  }
  return std::nullopt;
}

std::optional<S3Error> payload_problem(std::optional<std::string_view> payload) {
  if (!payload)
    return S3Error{400, "InvalidRequest", "Missing required header for this request: x-amz-content-sha256", ""};
  if (*payload == "UNSIGNED-PAYLOAD") return std::nullopt;
  if (payload->starts_with("STREAMING-")) {
    return S3Error{501, "NotImplemented", "A header you provided implies functionality that this server lacks.", ""};
  }
  if (payload->size() != 64 || !from_hex(*payload)) {
    return S3Error{400, "InvalidArgument", "x-amz-content-sha256 must be UNSIGNED-PAYLOAD, or a valid sha256 value.",
                   ""};
  }
  return std::nullopt;
}

}  // namespace

std::optional<Authorization> parse_authorization(std::string_view value) {
  if (!value.starts_with(kAlgorithm)) return std::nullopt;
  value.remove_prefix(kAlgorithm.size());
  const auto credential = field(value, "Credential=");
  const auto names = field(value, "SignedHeaders=");
  const auto signature = field(value, "Signature=");
  if (!credential || !names || !signature) return std::nullopt;
  const std::vector<std::string> scope = split(*credential, '/');
  if (scope.size() != 5 || scope[4] != "aws4_request") return std::nullopt;
  return Authorization{scope[0], scope[1], scope[2], scope[3], split(*names, ';'), *signature};
}

std::optional<std::string> expected_signature(const Request& request, const Authorization& authorization,
                                              std::string_view secret_key, std::string_view time,
                                              std::string_view payload) {
  const auto canonical = canonical_request(request, authorization.signed_headers, payload);
  if (!canonical) return std::nullopt;
  const std::string scope =
      fmt::format("{}/{}/{}/aws4_request", authorization.date, authorization.region, authorization.service);
  const std::string to_sign = fmt::format("{}\n{}\n{}\n{}", kAlgorithm, time, scope, to_hex(sha256_bytes(*canonical)));
  std::string key = fmt::format("AWS4{}", secret_key);
  for (const std::string_view part : {std::string_view(authorization.date), std::string_view(authorization.region),
                                      std::string_view(authorization.service), std::string_view("aws4_request")}) {
    key = hmac_sha256(key, part);
  }
  return to_hex(hmac_sha256(key, to_sign));
}

std::variant<Credential, S3Error> authenticate(const Request& request, const CredentialTable& credentials,
                                               std::string_view region, int64_t now_seconds) {
  const auto header = request.header("authorization");
  if (!header) return S3Error{403, "AccessDenied", "Access Denied", ""};
  const auto authorization = parse_authorization(*header);
  if (!authorization) return malformed("it needs Credential, SignedHeaders and Signature of AWS4-HMAC-SHA256");
  const auto time = request.header("x-amz-date");
  if (const auto problem = time_problem(time, now_seconds)) return *problem;
  if (const auto problem = scope_problem(*authorization, region, *time)) return *problem;
  const auto credential = credentials.find(authorization->access_key);
  if (!credential) {
    return S3Error{403, "InvalidAccessKeyId", "The AWS Access Key Id you provided does not exist in our records.", ""};
  }
  if (const auto problem = token_problem(request, *credential, now_seconds)) return *problem;
  const auto payload = request.header("x-amz-content-sha256");
  if (const auto problem = payload_problem(payload)) return *problem;
  if (leaves_out_headers(request, authorization->signed_headers)) {
    return S3Error{403, "AccessDenied", "There were headers present in the request which were not signed", ""};
  }
  const auto expected = expected_signature(request, *authorization, credential->secret_key, *time, *payload);
  if (expected != authorization->signature) {
    return S3Error{403, "SignatureDoesNotMatch",
                   "The request signature we calculated does not match the signature you provided. Check your key and "
                   "signing method.",
                   ""};
  }
  return *credential;
}

}  // namespace weir::testing::s3
