#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace weir {

/// RFC 4648 base64 with padding.
std::string to_base64(std::string_view bytes);
/// Nothing unless `text` is base64 with its padding.
std::optional<std::string> from_base64(std::string_view text);

}  // namespace weir
