#pragma once

#include <string>
#include <string_view>

namespace weir {

/// RFC 4648 base64 with padding.
std::string to_base64(std::string_view bytes);

}  // namespace weir
