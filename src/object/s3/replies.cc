#include "object/s3/replies.h"

#include <curl/curl.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <ctime>

#include "base/limits.h"
#include "object/s3/percent.h"
#include "object/s3/xml.h"

namespace weir::object {

namespace {

constexpr int64_t kNsPerSecond = 1'000'000'000;
constexpr size_t kShownBytes = 300;  // of a server's own words

Result<XmlElement> root_named(std::string_view xml, std::string_view name) {
  ASSIGN_OR_RETURN(XmlElement root, parse_xml(xml));
  if (root.name != name) return error(Code::kCorrupt, "the answer is <{}> instead of <{}>", root.name, name);
  return root;
}

/// In lists, a blank may be a '+'.
std::string with_blanks(std::string_view encoded) {
  std::string text(encoded);
  std::replace(text.begin(), text.end(), '+', ' ');
  return text;
}

Result<ListedObject> decode_object(const XmlElement& element, bool encoded) {
  ListedObject object;
  std::string_view key = element.child_text("Key");
  std::optional<std::string> name = encoded ? percent_decode(with_blanks(key)) : std::string(key);
  std::optional<uint64_t> size = decode_number(element.child_text("Size"));
  std::optional<int64_t> modified_ns = decode_iso_time_ns(element.child_text("LastModified"));
  if (!name || name->empty() || !size || !modified_ns)
    return error(Code::kCorrupt, "an object of the list, with key '{}', lacks its name, size or time", key);
  return ListedObject{std::move(*name), {*size, *modified_ns}};
}

/// What a server says goes into one sentence of ours.
std::string shown(std::string_view text) {
  std::string line(text.substr(0, kShownBytes));
  for (char& c : line)
    if (static_cast<unsigned char>(c) < ' ' || c == '\x7f') c = ' ';
  return line;
}

}  // namespace

Result<ListReply> decode_list(std::string_view xml) {
  ASSIGN_OR_RETURN(XmlElement root, root_named(xml, "ListBucketResult"));
  ListReply reply;
  bool encoded = root.child_text("EncodingType") == "url";
  std::string_view truncated = root.child_text("IsTruncated");
  if (truncated != "true" && truncated != "false")
    return error(Code::kCorrupt, "the list does not say whether it is whole");
  reply.more = truncated == "true";
  reply.continuation = root.child_text("NextContinuationToken");
  for (const XmlElement& element : root.children) {
    if (element.name != "Contents") continue;
    ASSIGN_OR_RETURN(ListedObject object, decode_object(element, encoded));
    if (!reply.objects.empty() && object.name <= reply.objects.back().name)
      return error(Code::kCorrupt, "the list is not in byte order: '{}' comes before '{}'", reply.objects.back().name,
                   object.name);
    reply.objects.push_back(std::move(object));
  }
  return reply;
}

Result<std::vector<DeleteFailure>> decode_delete_failures(std::string_view xml) {
  ASSIGN_OR_RETURN(XmlElement root, root_named(xml, "DeleteResult"));
  std::vector<DeleteFailure> failures;
  for (const XmlElement& element : root.children) {
    if (element.name != "Error") continue;
    failures.push_back({std::string(element.child_text("Key")), shown(element.child_text("Code")),
                        shown(element.child_text("Message"))});
  }
  return failures;
}

S3Error decode_error(const HttpReply& reply) {
  S3Error decoded;
  decoded.region = shown(reply.header("x-amz-bucket-region").value_or(""));
  auto root = parse_xml(reply.body);
  if (!root || root->name != "Error") return decoded;
  decoded.code = shown(root->child_text("Code"));
  decoded.message = shown(root->child_text("Message"));
  if (decoded.region.empty()) decoded.region = shown(root->child_text("Region"));
  return decoded;
}

std::optional<uint64_t> decode_number(std::string_view text) {
  uint64_t number = 0;
  auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (failure != std::errc() || end != text.data() + text.size() || text.empty()) return std::nullopt;
  return number;
}

std::optional<ContentRange> decode_content_range(std::string_view text) {
  constexpr std::string_view kUnit = "bytes ";
  size_t dash = text.find('-');
  size_t slash = text.find('/');
  if (!text.starts_with(kUnit) || dash == std::string_view::npos || slash == std::string_view::npos || dash > slash)
    return std::nullopt;
  auto first = decode_number(text.substr(kUnit.size(), dash - kUnit.size()));
  auto last = decode_number(text.substr(dash + 1, slash - dash - 1));
  auto size = decode_number(text.substr(slash + 1));
  if (!first || !last || !size || *first > *last || *last >= *size) return std::nullopt;
  return ContentRange{*first, *last, *size};
}

namespace {

/// The nearest time that can be said in ns, and compared with now: who never wants credentials to expire says the year
/// 9999.
int64_t ns_of(std::time_t seconds) {
  constexpr std::time_t kLast = INT64_MAX / kNsPerSecond - 1;
  return std::clamp<std::time_t>(seconds, -kLast / 2, kLast) * kNsPerSecond;
}

}  // namespace

std::optional<int64_t> decode_iso_time_ns(std::string_view text) {
  std::tm parts{};
  std::string copy(text);
  const char* rest = ::strptime(copy.c_str(), "%Y-%m-%dT%H:%M:%S", &parts);
  if (rest == nullptr) return std::nullopt;
  int64_t fraction_ns = 0;
  if (*rest == '.') {
    ++rest;
    for (int64_t unit_ns = kNsPerSecond / 10; *rest >= '0' && *rest <= '9'; ++rest, unit_ns /= 10)
      fraction_ns += (*rest - '0') * unit_ns;
  }
  if (std::strcmp(rest, "Z") != 0) return std::nullopt;
  return ns_of(::timegm(&parts)) + fraction_ns;
}

std::optional<int64_t> decode_http_time_ns(const std::string& text) {
  std::time_t seconds = curl_getdate(text.c_str(), nullptr);
  if (seconds < 0) return std::nullopt;
  return ns_of(seconds);
}

}  // namespace weir::object
