#include "testing/s3/operations.h"

#include <fmt/format.h>

#include "base/hex.h"
#include "testing/s3/digests.h"
#include "testing/s3/list_objects.h"
#include "testing/s3/payload_checks.h"
#include "testing/s3/times.h"

namespace weir::testing::s3 {
namespace {

constexpr int64_t kNsPerSecond = 1'000'000'000;
constexpr size_t kDeletedAtOnce = 1000;

Response fail(const Call& call, const S3Error& error) { return error_response(error, call.request.path); }

Headers object_headers(const Object& object) {
  Headers headers = {{"ETag", object.etag()},
                     {"Last-Modified", http_time(object.modified_ns / kNsPerSecond)},
                     {"Accept-Ranges", "bytes"},
                     {"Content-Type", "application/octet-stream"}};
  if (object.gave_checksum) headers.emplace_back("x-amz-checksum-sha256", to_base64(object.sha256));
  return headers;
}

Response get_object(const ObjectTable& objects, const Call& call) {
  const ObjectPointer object = objects.get(call.route.bucket, call.route.key);
  if (!object) return fail(call, {404, "NoSuchKey", "The specified key does not exist.", ""});
  const ByteRange range = range_of(call.request, object->bytes.size());
  if (range.outside) {
    return fail(call, {416, "InvalidRange", "The requested range is not satisfiable",
                       fmt::format("<ActualObjectSize>{}</ActualObjectSize>", object->bytes.size())});
  }
  Response response;
  response.status = range.partial ? 206 : 200;
  response.headers = object_headers(*object);
  if (range.partial) {
    response.headers.emplace_back("Content-Range", fmt::format("bytes {}-{}/{}", range.offset,
                                                               range.offset + range.length - 1, object->bytes.size()));
  }
  response.body = {std::shared_ptr<const std::string>(object, &object->bytes),
                   std::string_view(object->bytes).substr(range.offset, range.length)};
  return response;
}

Response put_object(ObjectTable& objects, int64_t realtime_ns, Call& call, std::string sha256) {
  const auto condition = call.request.header("if-none-match");
  if (condition && *condition != "*") {
    return fail(call, {501, "NotImplemented", "If-None-Match of a put can only be '*'", ""});
  }
  auto object = std::make_shared<Object>();
  object->bytes = std::move(call.body);
  object->sha256 = std::move(sha256);
  object->modified_ns = realtime_ns;
  object->gave_checksum = call.request.header("x-amz-checksum-sha256").has_value();
  Response response;
  response.headers = {{"ETag", object->etag()}};
  if (object->gave_checksum) response.headers.emplace_back("x-amz-checksum-sha256", to_base64(object->sha256));
  const auto result = objects.put(call.route.bucket, call.route.key, std::move(object), condition.has_value());
  if (result == ObjectTable::PutResult::kExists) {
    return fail(call, {412, "PreconditionFailed", "At least one of the pre-conditions you specified did not hold",
                       "<Condition>If-None-Match</Condition>"});
  }
  return response;
}

Response delete_object(ObjectTable& objects, const Call& call) {
  objects.remove(call.route.bucket, call.route.key);
  Response response;
  response.status = 204;
  return response;
}

/// The text of each `<Key>` in the document of a batched delete; empty when it is none.
std::vector<std::string> keys_of(std::string_view document) {
  std::vector<std::string> keys;
  while (true) {
    const size_t start = document.find("<Key>");
    if (start == std::string_view::npos) return keys;
    const size_t end = document.find("</Key>", start);
    if (end == std::string_view::npos) return {};
    keys.push_back(xml_unescape(document.substr(start + 5, end - start - 5)));
    document.remove_prefix(end + 6);
  }
}

Response delete_objects(ObjectTable& objects, const Call& call) {
  if (!call.request.header("content-md5") && !call.request.header("x-amz-checksum-sha256")) {
    return fail(
        call, {400, "InvalidRequest", "Missing required header for this request: Content-MD5 OR x-amz-checksum-*", ""});
  }
  const std::vector<std::string> keys = keys_of(call.body);
  if (keys.empty() || keys.size() > kDeletedAtOnce || call.body.find("<Delete") == std::string::npos) {
    return fail(call, {400, "MalformedXML", "The XML you provided was not well-formed", ""});
  }
  const bool quiet = call.body.find("<Quiet>true</Quiet>") != std::string::npos;
  std::string text =
      "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<DeleteResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">";
  for (const std::string& key : keys) {
    objects.remove(call.route.bucket, key);
    if (!quiet) text += fmt::format("<Deleted><Key>{}</Key></Deleted>", xml_escape(key));
  }
  Response response;
  response.headers = {{"Content-Type", "application/xml"}};
  response.body = body_of(text + "</DeleteResult>");
  return response;
}

Response location(std::string_view region) {
  Response response;
  response.headers = {{"Content-Type", "application/xml"}};
  response.body =
      body_of(fmt::format("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<LocationConstraint "
                          "xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">{}</LocationConstraint>",
                          region == "us-east-1" ? "" : region));
  return response;
}

bool writes(Operation operation) {
  return operation == Operation::kPutObject || operation == Operation::kDeleteObject ||
         operation == Operation::kDeleteObjects || operation == Operation::kCreateBucket;
}

Response perform_any(ObjectTable& objects, std::string_view region, int64_t realtime_ns, Call& call,
                     std::string sha256) {
  switch (call.route.operation) {
    case Operation::kGetObject:
    case Operation::kHeadObject: return get_object(objects, call);
    case Operation::kPutObject: return put_object(objects, realtime_ns, call, std::move(sha256));
    case Operation::kDeleteObject: return delete_object(objects, call);
    case Operation::kDeleteObjects: return delete_objects(objects, call);
    case Operation::kListObjects: return list_objects(objects, call);
    case Operation::kHeadBucket: return {};
    case Operation::kGetBucketLocation: return location(region);
    case Operation::kCreateBucket: objects.make_bucket(call.route.bucket); return {};
    case Operation::kUnknown: break;
  }
  return fail(call, {501, "NotImplemented", "This server has no such operation", ""});
}

}  // namespace

Response perform(ObjectTable& objects, std::string_view region, int64_t realtime_ns, Call call) {
  if (writes(call.route.operation) ? !call.credential.may_write : !call.credential.may_read) {
    return fail(call, {403, "AccessDenied", "Access Denied", ""});
  }
  if (call.route.operation != Operation::kCreateBucket && !objects.has_bucket(call.route.bucket)) {
    return fail(call, {404, "NoSuchBucket", "The specified bucket does not exist", ""});
  }
  std::string sha256 = sha256_bytes(call.body);
  if (const auto problem = payload_problem(call.request, call.body, sha256)) return fail(call, *problem);
  return perform_any(objects, region, realtime_ns, call, std::move(sha256));
}

}  // namespace weir::testing::s3
