#include "object/s3/failures.h"

#include <algorithm>
#include <array>

namespace weir::object {

namespace {

struct Meaning {
  std::string_view code;  // S3's
  Code ours;
  std::string_view advice;
};

// What people can do something about. Everything else is told in the server's own words.
constexpr std::array kMeanings = {
    Meaning{"NoSuchBucket", Code::kInvalid, "the bucket does not exist: create it, or correct the store URL"},
    Meaning{"InvalidBucketName", Code::kInvalid, "no bucket can have this name: correct the store URL"},
    Meaning{"InvalidAccessKeyId", Code::kAccess, "the store does not know this access key: correct the credentials"},
    Meaning{"XAdminUserNotFound", Code::kAccess, "the store does not know this access key: correct the credentials"},
    Meaning{"SignatureDoesNotMatch", Code::kAccess,
            "the secret key is not that of this access key: correct the credentials"},
    Meaning{"AccessDenied", Code::kAccess,
            "these credentials lack the permission: allow s3:GetObject, s3:PutObject, s3:DeleteObject and "
            "s3:ListBucket (docs/object-stores.md)"},
    Meaning{"AllAccessDisabled", Code::kAccess, "the store has closed this bucket"},
    Meaning{"AccountProblem", Code::kAccess, "the store has closed this account"},
    Meaning{"ExpiredToken", Code::kAccess, "the session token has expired: renew the credentials"},
    Meaning{"InvalidToken", Code::kAccess, "the session token is not valid: renew the credentials"},
    Meaning{"RequestTimeTooSkewed", Code::kAccess,
            "the clock of this machine is wrong by many minutes: set it (timedatectl)"},
    Meaning{"AuthorizationHeaderMalformed", Code::kInvalid,
            "the bucket is in another region: correct region= in the URL"},
    Meaning{"PermanentRedirect", Code::kInvalid, "the bucket is in another region: correct region= in the URL"},
    Meaning{"TemporaryRedirect", Code::kUnavailable, "the bucket moves to another region"},
    Meaning{"InvalidObjectState", Code::kIo, "the object was archived: restore it"},
    Meaning{"QuotaExceeded", Code::kNoSpace, "the store's quota is used up"},
    Meaning{"InsufficientStorage", Code::kNoSpace, "the store is full"},
    Meaning{"XMinioStorageFull", Code::kNoSpace, "the store is full"},
    Meaning{"BadDigest", Code::kUnavailable, "the bytes changed on their way"},
    Meaning{"XAmzContentSHA256Mismatch", Code::kUnavailable, "the bytes changed on their way"},
    Meaning{"XAmzContentChecksumMismatch", Code::kUnavailable, "the bytes changed on their way"},
    Meaning{"IncompleteBody", Code::kUnavailable, "not all bytes arrived"},
    Meaning{"RequestTimeout", Code::kUnavailable, "the bytes arrived too slowly"},
    Meaning{"OperationAborted", Code::kUnavailable, "another request was in the way"},
    Meaning{"ConditionalRequestConflict", Code::kUnavailable, "another request was in the way"},
    Meaning{"SlowDown", Code::kThrottled, "the store asks for fewer requests"},
    Meaning{"RequestLimitExceeded", Code::kThrottled, "the store asks for fewer requests"},
    Meaning{"ThrottlingException", Code::kThrottled, "the store asks for fewer requests"},
};

Meaning by_status(int status) {
  switch (status) {
    case 301:
    case 307:
    case 308: return {"", Code::kInvalid, "the bucket is elsewhere: correct endpoint= and region= in the URL"};
    case 401: return {"", Code::kAccess, "the store refuses these credentials"};
    case 403: return {"", Code::kAccess, "the store refuses these credentials, or they lack the permission"};
    case 408: return {"", Code::kUnavailable, "the request arrived too slowly"};
    case 429:
    case 503: return {"", Code::kThrottled, "the store asks for fewer requests"};
    case 507: return {"", Code::kNoSpace, "the store is full"};
    default: break;
  }
  // A 404 that does not come from S3, or a success where none makes sense: something between answers.
  bool passes = status >= 500 || status == 404 || status < 400;
  return {"", passes ? Code::kUnavailable : Code::kIo, ""};
}

Meaning meaning_of(const S3Error& error, int status) {
  const auto* known = std::find_if(kMeanings.begin(), kMeanings.end(),
                                   [&](const Meaning& meaning) { return meaning.code == error.code; });
  return known != kMeanings.end() ? *known : by_status(status);
}

}  // namespace

std::string describe_location(const S3Location& location) {
  return fmt::format("bucket {}{}{} at {}", location.bucket, location.prefix.empty() ? "" : " below ", location.prefix,
                     location.endpoint.empty() ? "AWS in region " + location.region : location.endpoint);
}

Failure s3_failure(const S3Location& location, std::string_view action, const HttpReply& reply) {
  S3Error said = decode_error(reply);
  Meaning meaning = meaning_of(said, reply.status);
  std::string text = fmt::format("{} in {}: ", action, describe_location(location));
  if (!meaning.advice.empty()) text += fmt::format("{} ", meaning.advice);
  if (!said.region.empty() && meaning.ours == Code::kInvalid) text += fmt::format("to {} ", said.region);
  text += said.code.empty() ? fmt::format("(status {})", reply.status)
                            : fmt::format("(status {}, {}: {})", reply.status, said.code, said.message);
  return Failure(Error{meaning.ours, std::move(text)});
}

bool says_wrong_digest(const HttpReply& reply) {
  if (reply.status != 400) return false;
  const std::string code = decode_error(reply).code;
  return code == "XAmzContentSHA256Mismatch" || code == "XAmzContentChecksumMismatch" || code == "BadDigest";
}

bool says_no_such_object(const HttpReply& reply, bool of_head) {
  if (reply.status != 404) return false;
  return of_head || decode_error(reply).code == "NoSuchKey";
}

}  // namespace weir::object
