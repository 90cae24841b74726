#include "testing/s3/uri.h"

#include <fmt/format.h>

#include <cstring>

#include "base/hex.h"

namespace weir::testing::s3 {

std::string uri_encode(std::string_view text, Slashes slashes) {
  std::string encoded;
  for (const char byte : text) {
    const bool letter = (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') || (byte >= '0' && byte <= '9');
    const bool mark = byte == '-' || byte == '.' || byte == '_' || byte == '~';
    if (letter || mark || (byte == '/' && slashes == Slashes::kKeep)) {
      encoded += byte;
    } else {
      encoded += fmt::format("%{:02X}", static_cast<unsigned char>(byte));
    }
  }
  return encoded;
}

std::optional<std::string> uri_decode(std::string_view text, bool plus_is_blank) {
  std::string decoded;
  for (size_t at = 0; at < text.size(); at++) {
    if (text[at] == '%') {
      const auto byte = at + 3 <= text.size() ? from_hex(text.substr(at + 1, 2)) : std::nullopt;
      if (!byte) return std::nullopt;
      decoded += *byte;
      at += 2;
    } else {
      decoded += text[at] == '+' && plus_is_blank ? ' ' : text[at];
    }
  }
  return decoded;
}

std::optional<Query> parse_query(std::string_view query) {
  Query parsed;
  while (!query.empty()) {
    const std::string_view item = query.substr(0, query.find('&'));
    query.remove_prefix(std::min(query.size(), item.size() + 1));
    if (item.empty()) continue;
    const size_t equals = item.find('=');
    auto name = uri_decode(item.substr(0, equals), true);
    auto value = equals == std::string_view::npos ? std::string() : uri_decode(item.substr(equals + 1), true);
    if (!name || !value) return std::nullopt;
    parsed.emplace_back(std::move(*name), std::move(*value));
  }
  return parsed;
}

}  // namespace weir::testing::s3
