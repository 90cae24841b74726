#pragma once

#include <optional>
#include <string_view>

#include "testing/s3/message.h"
#include "testing/s3/s3_error.h"

namespace weir::testing::s3 {

/// What the headers say of the body and is not so. `sha256` is the body's, raw.
std::optional<S3Error> payload_problem(const Request& request, std::string_view body, std::string_view sha256);

/// The bytes of a Range header within an object; the whole object when there is none or S3 would ignore it.
struct ByteRange {
  uint64_t offset = 0;
  uint64_t length = 0;
  bool partial = false;
  bool outside = false;  // nothing of it is in the object
};
ByteRange range_of(const Request& request, uint64_t object_bytes);

}  // namespace weir::testing::s3
