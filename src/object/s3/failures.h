#pragma once

#include "object/s3/location.h"
#include "object/s3/replies.h"

namespace weir::object {

/// The Error of an answer that is a failure: what a caller can do about it, and one sentence for people that says what
/// is wrong (bucket, key, clock, permission, region) and what to do. `action` is what was tried, "put objects/x".
Failure s3_failure(const S3Location& location, std::string_view action, const HttpReply& reply);

/// A 404 that says that the object, and not the bucket or something between, is absent. The answer to HEAD cannot say
/// which: only its status counts.
bool says_no_such_object(const HttpReply& reply, bool of_head);

/// That the bytes which arrived are not those of the digest that was sent with them.
bool says_wrong_digest(const HttpReply& reply);

/// "bucket b below p/ at https://…", for messages.
std::string describe_location(const S3Location& location);

}  // namespace weir::object
