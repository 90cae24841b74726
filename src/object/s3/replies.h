#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "object/object_store.h"
#include "object/s3/http.h"

/// What S3 answers, decoded. Input is untrusted: what does not fit is Corrupt.
namespace weir::object {

struct ListReply {
  std::vector<ListedObject> objects;  // names are whole keys, as the server sent them, in byte order
  bool more = false;
  std::string continuation;  // token for the next page
};
Result<ListReply> decode_list(std::string_view xml);

/// The keys that DeleteObjects could not delete, with why.
struct DeleteFailure {
  std::string key;
  std::string code;
  std::string message;
};
Result<std::vector<DeleteFailure>> decode_delete_failures(std::string_view xml);

struct S3Error {
  std::string code;  // "NoSuchKey"; empty when the body does not say
  std::string message;
  std::string region;  // where the bucket is, when the answer says that
};
/// From any answer whose status is a failure.
S3Error decode_error(const HttpReply& reply);

struct ContentRange {
  uint64_t first = 0;
  uint64_t last = 0;
  uint64_t size = 0;  // of the whole object
};
/// Of a header "bytes 0-9/100".
std::optional<ContentRange> decode_content_range(std::string_view text);
std::optional<uint64_t> decode_number(std::string_view text);

/// "2013-05-24T00:00:00.000Z", as lists and credentials have it.
std::optional<int64_t> decode_iso_time_ns(std::string_view text);
/// "Fri, 24 May 2013 00:00:00 GMT", as headers have it.
std::optional<int64_t> decode_http_time_ns(const std::string& text);

}  // namespace weir::object
