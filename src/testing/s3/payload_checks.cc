#include "testing/s3/payload_checks.h"

#include <algorithm>
#include <charconv>

#include "base/hex.h"
#include "testing/s3/digests.h"

namespace weir::testing::s3 {
namespace {

std::optional<uint64_t> number(std::string_view text) {
  uint64_t value = 0;
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (failure != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

/// The last `count` bytes.
ByteRange suffix_range(uint64_t count, uint64_t object_bytes) {
  const uint64_t length = std::min(count, object_bytes);
  return {object_bytes - length, length, true, length == 0};
}

}  // namespace

std::optional<S3Error> payload_problem(const Request& request, std::string_view body, std::string_view sha256) {
  const std::string_view claimed = request.header("x-amz-content-sha256").value_or("UNSIGNED-PAYLOAD");
  if (claimed != "UNSIGNED-PAYLOAD" && from_hex(claimed) != sha256) {
    return S3Error{400, "XAmzContentSHA256Mismatch",
                   "The provided 'x-amz-content-sha256' header does not match what was computed.", ""};
  }
  if (const auto md5 = request.header("content-md5")) {
    const auto bytes = from_base64(*md5);
    if (!bytes || bytes->size() != 16)
      return S3Error{400, "InvalidDigest", "The Content-MD5 you specified was invalid.", ""};
    if (*bytes != md5_bytes(body)) {
      return S3Error{400, "BadDigest", "The Content-MD5 you specified did not match what we received.", ""};
    }
  }
  if (const auto checksum = request.header("x-amz-checksum-sha256")) {
    const auto bytes = from_base64(*checksum);
    if (!bytes || bytes->size() != 32) {
      return S3Error{400, "InvalidRequest", "Value for x-amz-checksum-sha256 header is invalid.", ""};
    }
    if (*bytes != sha256) {
      return S3Error{400, "BadDigest", "The SHA256 you specified did not match the calculated checksum.", ""};
    }
  }
  return std::nullopt;
}

ByteRange range_of(const Request& request, uint64_t object_bytes) {
  const ByteRange whole{0, object_bytes, false, false};
  std::string_view text = request.header("range").value_or("");
  if (!text.starts_with("bytes=")) return whole;
  text.remove_prefix(6);
  const size_t dash = text.find('-');
  if (dash == std::string_view::npos) return whole;
  const auto first = number(text.substr(0, dash));
  const auto last = number(text.substr(dash + 1));
  if (dash == 0) return last ? suffix_range(*last, object_bytes) : whole;
  if (!first || (!last && dash + 1 != text.size()) || last.value_or(*first) < *first) return whole;
  if (*first >= object_bytes) return {0, 0, true, true};
  const uint64_t end = std::min(object_bytes, last ? *last + 1 : object_bytes);
  return {*first, end - *first, true, false};
}

}  // namespace weir::testing::s3
