#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace weir::testing::s3 {

/// HMAC-SHA-256 (RFC 2104), 32 raw bytes. Of this folder's own, so that a fault of the client's does not hide itself.
std::string hmac_sha256(std::string_view key, std::string_view text);
/// SHA-256, 32 raw bytes.
std::string sha256_bytes(std::string_view text);
/// MD5, 16 raw bytes: what Content-MD5 carries.
std::string md5_bytes(std::string_view text);

/// RFC 4648 with padding.
std::string to_base64(std::string_view bytes);
/// Nothing unless `text` is right base64 with its padding.
std::optional<std::string> from_base64(std::string_view text);

}  // namespace weir::testing::s3
