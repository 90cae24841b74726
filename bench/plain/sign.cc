#include "bench/plain/sign.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <ctime>

#include "base/hex.h"
#include "base/sha256.h"

namespace weir::bench {
namespace {

std::string raw_sha256(std::string_view text) {
  const Sha256Digest digest = sha256(text);
  return {digest.begin(), digest.end()};
}

/// Requires: a key of at most 64 bytes.
std::string hmac(std::string key, std::string_view text) {
  key.resize(64);
  std::string inner = key;
  for (char& byte : inner) byte = static_cast<char>(byte ^ 0x36);
  for (char& byte : key) byte = static_cast<char>(byte ^ 0x5c);
  return raw_sha256(key + raw_sha256(inner.append(text)));
}

}  // namespace

std::vector<std::string> signed_headers(const PlainTarget& target, std::string_view method, std::string_view host,
                                        std::string_view path, std::string_view content_sha256) {
  const std::string time = fmt::format("{:%Y%m%dT%H%M%SZ}", fmt::gmtime(std::time(nullptr)));
  const std::string date = time.substr(0, 8);
  const std::string scope = fmt::format("{}/{}/s3/aws4_request", date, target.region);
  const std::string canonical = fmt::format(
      "{}\n{}\n\nhost:{}\nx-amz-content-sha256:{}\nx-amz-date:{}\n\nhost;x-amz-content-sha256;x-amz-date\n{}", method,
      path, host, content_sha256, time, content_sha256);
  const std::string to_sign = fmt::format("AWS4-HMAC-SHA256\n{}\n{}\n{}", time, scope, to_hex(raw_sha256(canonical)));
  std::string key = hmac("AWS4" + target.secret_key, date);
  for (const std::string_view part :
       {std::string_view(target.region), std::string_view("s3"), std::string_view("aws4_request")}) {
    key = hmac(key, part);
  }
  return {fmt::format("x-amz-date: {}", time), fmt::format("x-amz-content-sha256: {}", content_sha256),
          fmt::format("Authorization: AWS4-HMAC-SHA256 Credential={}/{}, "
                      "SignedHeaders=host;x-amz-content-sha256;x-amz-date, Signature={}",
                      target.access_key, scope, to_hex(hmac(key, to_sign)))};
}

}  // namespace weir::bench
