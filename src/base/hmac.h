#pragma once

#include <string_view>

#include "base/sha256.h"

namespace weir {

/// RFC 2104 HMAC with SHA-256.
Sha256Digest hmac_sha256(std::string_view key, std::string_view message);

}  // namespace weir
