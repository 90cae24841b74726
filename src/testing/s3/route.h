#pragma once

#include <string>
#include <string_view>

#include "testing/s3/message.h"

namespace weir::testing::s3 {

enum class Operation {
  kGetObject,
  kPutObject,
  kHeadObject,
  kDeleteObject,
  kDeleteObjects,
  kListObjects,
  kHeadBucket,
  kGetBucketLocation,
  kCreateBucket,
  kUnknown,
};

/// As AWS calls it: "GetObject".
std::string_view name_of(Operation operation);

/// What a request asks for.
struct Route {
  Operation operation = Operation::kUnknown;
  std::string bucket;
  std::string key;
};

/// The bucket is the part of the host before `host_suffix` ("bucket.localhost", virtual-host style), or else the first
/// component of the path.
Route route_of(const Request& request, std::string_view host_suffix);

}  // namespace weir::testing::s3
