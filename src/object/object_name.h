#pragma once

#include <string_view>

#include "base/result.h"

namespace weir::object {

/// Invalid unless `name` is one or more parts of [A-Za-z0-9._-], joined by '/', within limits.h, no part starting with
/// a dot. What passes is safe as a path below a directory and as the key of any S3-compatible service.
Status check_object_name(std::string_view name);

}  // namespace weir::object
