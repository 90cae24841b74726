#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace weir {

/// Lower-case hexadecimal, two digits a byte.
std::string to_hex(std::string_view bytes);

/// Nothing unless `text` is an even number of hexadecimal digits.
std::optional<std::string> from_hex(std::string_view text);

}  // namespace weir
