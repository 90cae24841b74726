#include "object/s3/signature.h"

#include <algorithm>
#include <ctime>
#include <map>

#include "base/hex.h"
#include "base/hmac.h"
#include "base/sha256.h"
#include "object/s3/percent.h"

namespace weir::object {

namespace {

constexpr std::string_view kAlgorithm = "AWS4-HMAC-SHA256";

std::string_view view_of(const Sha256Digest& digest) {
  return {reinterpret_cast<const char*>(digest.data()), digest.size()};
}

std::string lower_case(std::string_view text) {
  std::string lower(text);
  for (char& c : lower)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return lower;
}

/// Without blanks around it, and with one for several within.
std::string trimmed(std::string_view text) {
  std::string result;
  for (char c : text) {
    if (c == ' ' && (result.empty() || result.back() == ' ')) continue;
    result += c;
  }
  if (result.ends_with(' ')) result.pop_back();
  return result;
}

/// By name; values of one name joined in their order.
std::map<std::string, std::string> canonical_headers(const std::vector<HttpHeader>& headers) {
  std::map<std::string, std::string> sorted;
  for (const HttpHeader& header : headers) {
    auto [place, fresh] = sorted.try_emplace(lower_case(header.name), trimmed(header.value));
    if (!fresh) place->second += "," + trimmed(header.value);
  }
  return sorted;
}

std::string names_of(const std::map<std::string, std::string>& headers) {
  std::string names;
  for (const auto& [name, value] : headers) names += names.empty() ? name : ";" + name;
  return names;
}

std::string canonical_request(const ToSign& request, const std::map<std::string, std::string>& headers) {
  std::string lines;
  for (const auto& [name, value] : headers) lines += fmt::format("{}:{}\n", name, value);
  return fmt::format("{}\n{}\n{}\n{}\n{}\n{}", request.method, request.path, encoded_query(request.query), lines,
                     names_of(headers), request.body_sha256);
}

Sha256Digest signing_key(const SigningScope& scope, std::string_view date, const Credentials& credentials) {
  Sha256Digest key = hmac_sha256(fmt::format("AWS4{}", credentials.secret_key), date);
  key = hmac_sha256(view_of(key), scope.region);
  key = hmac_sha256(view_of(key), scope.service);
  return hmac_sha256(view_of(key), "aws4_request");
}

}  // namespace

std::string authorization(const ToSign& request, const SigningScope& scope, const Credentials& credentials) {
  std::string_view date = scope.time.substr(0, 8);
  std::map<std::string, std::string> headers = canonical_headers(request.headers);
  std::string place = fmt::format("{}/{}/{}/aws4_request", date, scope.region, scope.service);
  std::string to_sign = fmt::format("{}\n{}\n{}\n{}", kAlgorithm, scope.time, place,
                                    to_hex(view_of(sha256(canonical_request(request, headers)))));
  Sha256Digest signature = hmac_sha256(view_of(signing_key(scope, date, credentials)), to_sign);
  return fmt::format("{} Credential={}/{}, SignedHeaders={}, Signature={}", kAlgorithm, credentials.access_key, place,
                     names_of(headers), to_hex(view_of(signature)));
}

std::string encoded_query(const Query& query) {
  std::vector<std::string> pairs;
  for (const auto& [name, value] : query) pairs.push_back(percent_encode(name) + "=" + percent_encode(value));
  // By name and then by value: '=' is greater than some of the characters that names have.
  std::sort(pairs.begin(), pairs.end(), [](const std::string& left, const std::string& right) {
    size_t left_name = left.find('=');
    size_t right_name = right.find('=');
    int order = left.compare(0, left_name, right, 0, right_name);
    return order != 0 ? order < 0 : left.compare(left_name, left.npos, right, right_name, right.npos) < 0;
  });
  std::string joined;
  for (const std::string& pair : pairs) joined += joined.empty() ? pair : "&" + pair;
  return joined;
}

std::string signing_time(int64_t realtime_ns) {
  std::time_t seconds = static_cast<std::time_t>(realtime_ns / 1'000'000'000);
  std::tm parts{};
  ::gmtime_r(&seconds, &parts);
  char text[32];
  size_t length = std::strftime(text, sizeof(text), "%Y%m%dT%H%M%SZ", &parts);
  return std::string(text, length);
}

}  // namespace weir::object
