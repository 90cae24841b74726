#pragma once

#include "testing/s3/operations.h"

namespace weir::testing::s3 {

/// ListObjectsV2: prefix, start-after, continuation-token, max-keys and encoding-type=url; no delimiter.
Response list_objects(const ObjectTable& objects, const Call& call);

}  // namespace weir::testing::s3
