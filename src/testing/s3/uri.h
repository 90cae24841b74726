#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace weir::testing::s3 {

enum class Slashes { kKeep, kEncode };

/// RFC 3986: everything but letters, digits and "-._~" as %XX in upper case.
std::string uri_encode(std::string_view text, Slashes slashes);
/// Nothing when a '%' is not followed by two hexadecimal digits. In queries '+' means a blank, in paths itself.
std::optional<std::string> uri_decode(std::string_view text, bool plus_is_blank);

/// Names and values of a query, decoded, in the order in which they came. Nothing when one cannot be decoded.
using Query = std::vector<std::pair<std::string, std::string>>;
std::optional<Query> parse_query(std::string_view query);

}  // namespace weir::testing::s3
