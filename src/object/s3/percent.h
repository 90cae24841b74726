#pragma once

#include <optional>
#include <string>
#include <string_view>

/// Percent-encoding of URLs as S3 wants it signed: everything but A-Z a-z 0-9 - . _ ~ is written %XX.
namespace weir::object {

std::string percent_encode(std::string_view text);
/// The same, with slashes as they are.
std::string percent_encode_path(std::string_view path);
/// Nothing when a '%' is not followed by two hexadecimal digits. '+' means itself.
std::optional<std::string> percent_decode(std::string_view text);

}  // namespace weir::object
