#include "testing/s3/list_objects.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <map>

#include "testing/s3/digests.h"
#include "testing/s3/s3_error.h"
#include "testing/s3/times.h"
#include "testing/s3/uri.h"

namespace weir::testing::s3 {
namespace {

constexpr size_t kKeysAtOnce = 1000;

using Parameters = std::map<std::string, std::string>;

Parameters parameters_of(const Call& call) {
  const Query query = parse_query(call.request.query).value_or(Query());
  return {query.begin(), query.end()};
}

S3Error invalid(std::string_view sentence) { return {400, "InvalidArgument", std::string(sentence), ""}; }

std::optional<S3Error> problem_of(const Parameters& given) {
  const auto value = [&](const std::string& name) {
    const auto at = given.find(name);
    return at == given.end() ? std::string() : at->second;
  };
  if (value("list-type") != "2" || given.contains("delimiter")) {
    return S3Error{501, "NotImplemented", "This server lists with list-type=2 and without delimiter only", ""};
  }
  const std::string& keys = value("max-keys");
  if (!std::all_of(keys.begin(), keys.end(), [](char digit) { return digit >= '0' && digit <= '9'; })) {
    return invalid("Provided max-keys not an integer or within integer range");
  }
  if (given.contains("continuation-token") && !from_base64(value("continuation-token"))) {
    return invalid("The continuation token provided is incorrect");
  }
  if (given.contains("encoding-type") && value("encoding-type") != "url") {
    return invalid("Invalid Encoding Method specified in Request");
  }
  return std::nullopt;
}

size_t limit_of(const Parameters& given) {
  const auto at = given.find("max-keys");
  if (at == given.end()) return kKeysAtOnce;
  size_t limit = kKeysAtOnce;
  std::from_chars(at->second.data(), at->second.data() + at->second.size(), limit);
  return std::min(limit, kKeysAtOnce);
}

/// A token is the last key of the page before it.
std::string start_of(Parameters& given) {
  if (given.contains("continuation-token")) return from_base64(given["continuation-token"]).value_or("");
  return given["start-after"];
}

class Document {
 public:
  explicit Document(bool url) : url_(url) {
    text_ =
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
        "<ListBucketResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">";
  }

  void plain(std::string_view name, std::string_view value) {
    text_ += fmt::format("<{}>{}</{}>", name, xml_escape(value), name);
  }
  void encoded(std::string_view name, std::string_view value) {
    std::string text(value);
    if (url_) {
      text = uri_encode(value, Slashes::kKeep);
      // As S3 itself has it, unlike everywhere else in its API.
      for (size_t at = 0; (at = text.find("%20", at)) != std::string::npos;) text.replace(at, 3, "+");
    }
    plain(name, text);
  }
  void contents(const ListedKey& listed) {
    text_ += "<Contents>";
    encoded("Key", listed.key);
    plain("LastModified", iso_time(listed.modified_ns));
    plain("ETag", listed.etag);
    plain("Size", fmt::to_string(listed.size_bytes));
    plain("StorageClass", "STANDARD");
    text_ += "</Contents>";
  }
  std::string finish() { return text_ + "</ListBucketResult>"; }

 private:
  const bool url_;
  std::string text_;
};

}  // namespace

Response list_objects(const ObjectTable& objects, const Call& call) {
  Parameters given = parameters_of(call);
  if (const auto problem = problem_of(given)) return error_response(*problem, call.request.path);
  const size_t limit = limit_of(given);
  auto listed = objects.list(call.route.bucket, given["prefix"], start_of(given), limit + 1, call.list_age_ms);
  const bool more = limit > 0 && listed.size() > limit;
  listed.resize(std::min(listed.size(), limit));

  Document document(given.contains("encoding-type"));
  document.plain("Name", call.route.bucket);
  document.encoded("Prefix", given["prefix"]);
  if (given.contains("start-after")) document.encoded("StartAfter", given["start-after"]);
  if (given.contains("continuation-token")) document.plain("ContinuationToken", given["continuation-token"]);
  document.plain("KeyCount", fmt::to_string(listed.size()));
  document.plain("MaxKeys", fmt::to_string(limit));
  if (given.contains("encoding-type")) document.plain("EncodingType", "url");
  document.plain("IsTruncated", more ? "true" : "false");
  for (const ListedKey& each : listed) document.contents(each);
  if (more) document.plain("NextContinuationToken", to_base64(listed.back().key));

  Response response;
  response.headers = {{"Content-Type", "application/xml"}};
  response.body = body_of(document.finish());
  return response;
}

}  // namespace weir::testing::s3
