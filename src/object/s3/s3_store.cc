#include "object/s3/s3_store.h"

#include <algorithm>

#include "base/base64.h"
#include "base/check.h"
#include "base/limits.h"
#include "object/object_name.h"
#include "object/s3/failures.h"

namespace weir::object {

namespace {

using Method = HttpRequest::Method;

constexpr char kObjects[] = "objects/";
constexpr char kProbe[] = "weir-probe";

std::string base64_of(const Sha256Digest& digest) {
  return to_base64(std::string_view(reinterpret_cast<const char*>(digest.data()), digest.size()));
}

std::optional<uint64_t> length_of(const HttpReply& reply) {
  return decode_number(reply.header("content-length").value_or(""));
}

/// That the server checked when it took the object, if it keeps such.
std::optional<Sha256Digest> digest_of(const HttpReply& reply) {
  auto bytes = from_base64(reply.header("x-amz-checksum-sha256").value_or(""));
  Sha256Digest digest;
  if (!bytes || bytes->size() != digest.size()) return std::nullopt;
  std::copy(bytes->begin(), bytes->end(), digest.begin());
  return digest;
}

}  // namespace

S3Store::S3Store(std::unique_ptr<S3Client> client, std::string_view marker, const Clock& clock)
    : client_(std::move(client)), marker_(marker), clock_(clock) {}

std::string S3Store::describe() const { return describe_location(client_->location()); }

std::string S3Store::key_of(std::string_view name) const {
  const std::string& prefix = client_->location().prefix;
  return fmt::format("{}{}{}{}", prefix, prefix.empty() ? "" : "/", kObjects, name);
}

std::string S3Store::probe_key() const {
  const std::string& prefix = client_->location().prefix;
  return fmt::format("{}{}{}", prefix, prefix.empty() ? "" : "/", kProbe);
}

Failure S3Store::failure_of(std::string_view action, const HttpReply& reply) const {
  return s3_failure(client_->location(), action, reply);
}

Failure S3Store::senseless(std::string_view action, std::string_view what) const {
  return error(Code::kUnavailable, "{} in {}: {}", action, describe(), what);
}

Failure S3Store::absent(std::string_view name) {
  if (Status there = check_marker(); !there) return Failure(there.error());
  return error(Code::kNotFound, "there is no object {} in {}", name, describe());
}

Result<size_t> S3Store::get_into(std::string_view name, uint64_t offset, std::span<char> buffer) {
  TRY(check_object_name(name));
  if (buffer.empty()) {
    ASSIGN_OR_RETURN(auto info, head(name));
    if (!info) return absent(name);
    return 0;
  }
  const std::string action = fmt::format("get {}", name);
  const std::string key = key_of(name);
  S3Request request;
  request.key = key;
  request.headers = {{"range", fmt::format("bytes={}-{}", offset, offset + buffer.size() - 1)}};
  request.into = buffer;
  ASSIGN_OR_RETURN(HttpReply reply, client_->send(request));
  if (says_no_such_object(reply, false)) return absent(name);
  // An empty object has no range to give.
  if (reply.status == 416 || (reply.status == 200 && reply.into_bytes == 0)) return behind_the_end(name, offset);
  if (reply.status != 206) return failure_of(action, reply);
  return checked_range(action, reply, offset, buffer.size());
}

Status S3Store::check_length(std::string_view action, const HttpReply& reply) const {
  if (length_of(reply) == reply.into_bytes) return {};
  return senseless(action, fmt::format("the answer has {} bytes, and does not announce as many", reply.into_bytes));
}

Result<size_t> S3Store::checked_range(std::string_view action, const HttpReply& reply, uint64_t offset,
                                      size_t room) const {
  TRY(check_length(action, reply));
  auto range = decode_content_range(reply.header("content-range").value_or(""));
  if (!range || range->first != offset || range->last != std::min(offset + room, range->size) - 1 ||
      range->last - range->first + 1 != reply.into_bytes)
    return senseless(action, fmt::format("the answer has another range than {}-{}", offset, offset + room - 1));
  return reply.into_bytes;
}

Result<size_t> S3Store::behind_the_end(std::string_view name, uint64_t offset) {
  ASSIGN_OR_RETURN(auto info, head(name));
  if (!info) return absent(name);
  if (offset < info->size)
    return senseless(fmt::format("get {}", name), fmt::format("it does not give byte {} of {}", offset, info->size));
  return 0;
}

Status S3Store::put_key(const std::string& key, const Payload& payload, std::vector<HttpHeader> headers,
                        HttpReply& reply) {
  Sha256Digest digest = payload.digest();
  S3Request request;
  request.method = Method::kPut;
  request.key = key;
  request.body = payload.bytes();
  request.body_digest = digest;
  request.headers = std::move(headers);
  request.headers.push_back({"x-amz-checksum-sha256", base64_of(digest)});
  ASSIGN_OR_RETURN(reply, client_->send(request));
  return {};
}

Status S3Store::put(std::string_view name, const Payload& payload) {
  TRY(check_object_name(name));
  CHECK(payload.bytes().size() <= limits::kObjectBytes);
  TRY(check_marker_if_old());
  HttpReply reply;
  TRY(put_key(key_of(name), payload, {}, reply));
  if (reply.status == 200) return {};
  if (says_wrong_digest(reply) && sha256(payload.bytes()) != payload.digest())
    return error(Code::kCorrupt, "put {} in {}: the bytes are not those of its digest", name, describe());
  return failure_of(fmt::format("put {}", name), reply);
}

Result<bool> S3Store::checks_digests() {
  const std::string key = probe_key();
  HttpReply reply;
  TRY(put_key(key, {"some bytes", sha256("others")}, {}, reply));
  if (says_wrong_digest(reply)) return true;
  if (reply.status != 200) return failure_of("put bytes with a wrong digest", reply);
  TRY(remove_key(key, kProbe));
  return false;
}

Result<std::optional<ObjectInfo>> S3Store::head(std::string_view name) {
  TRY(check_object_name(name));
  const std::string key = key_of(name);
  S3Request request;
  request.method = Method::kHead;
  request.key = key;
  request.headers = {{"x-amz-checksum-mode", "ENABLED"}};
  ASSIGN_OR_RETURN(HttpReply reply, client_->send(request));
  const std::string action = fmt::format("look at {}", name);
  if (reply.status == 404) {
    TRY(check_marker());
    return std::nullopt;
  }
  if (reply.status != 200) {
    // The answer to a HEAD cannot say what is wrong; that to a GET can.
    TRY(check_marker());
    return failure_of(action, reply);
  }
  auto size = length_of(reply);
  auto modified_ns = decode_http_time_ns(std::string(reply.header("last-modified").value_or("")));
  if (!size || !modified_ns) return senseless(action, "the answer lacks the object's size or time");
  return ObjectInfo{*size, *modified_ns, digest_of(reply)};
}

Result<ListReply> S3Store::list_once(Query query, std::string_view action) {
  query.emplace_back("list-type", "2");
  query.emplace_back("encoding-type", "url");
  S3Request request;
  request.query = std::move(query);
  ASSIGN_OR_RETURN(HttpReply reply, client_->send(request));
  if (reply.status != 200) return failure_of(action, reply);
  auto decoded = decode_list(reply.body);
  if (!decoded) return senseless(action, decoded.error().what);
  return decoded;
}

Result<ListPage> S3Store::list(std::string_view prefix, std::string_view after, size_t limit) {
  CHECK(limit > 0 && limit <= limits::kListedObjects);
  TRY(check_marker());
  const std::string action = fmt::format("list {}", prefix);
  const std::string before_names = key_of("");
  std::string start = after.empty() ? "" : key_of(after);
  ListPage page;
  // A server may answer with fewer than it has, even with none.
  for (int attempt = 0; attempt < limits::kStoreEmptyPages; ++attempt) {
    Query query{{"prefix", key_of(prefix)}, {"max-keys", std::to_string(limit)}};
    if (!start.empty()) query.emplace_back("start-after", start);
    ASSIGN_OR_RETURN(ListReply reply, list_once(std::move(query), action));
    for (ListedObject& object : reply.objects) {
      if (!object.name.starts_with(key_of(prefix)) || (!start.empty() && object.name <= start))
        return senseless(action, fmt::format("it lists '{}', which was not asked for", object.name));
      std::string name = object.name.substr(before_names.size());
      if (check_object_name(name)) page.objects.push_back({std::move(name), object.info});
    }
    page.more = reply.more;
    if (page.objects.size() > limit) return senseless(action, "it lists more objects than asked for");
    if (!page.objects.empty() || !page.more) return page;
    if (reply.objects.empty()) return senseless(action, "it lists nothing, and says that there is more");
    start = reply.objects.back().name;
  }
  return senseless(action, "it lists nothing of ours, page after page");
}

Status S3Store::remove(std::string_view name) {
  TRY(check_object_name(name));
  TRY(check_marker_if_old());
  return remove_key(key_of(name), name);
}

Status S3Store::remove_key(const std::string& key, std::string_view name) {
  S3Request request;
  request.method = Method::kDelete;
  request.key = key;
  ASSIGN_OR_RETURN(HttpReply reply, client_->send(request));
  if (reply.status == 204 || reply.status == 200 || says_no_such_object(reply, false)) return {};
  return failure_of(fmt::format("remove {}", name), reply);
}

Status S3Store::remove_all(std::span<const std::string> names) {
  for (const std::string& name : names) TRY(check_object_name(name));
  while (!names.empty()) {
    TRY(check_marker_if_old());
    size_t count = std::min(names.size(), limits::kListedObjects);
    TRY(remove_batch(names.first(count)));
    names = names.subspan(count);
  }
  return {};
}

Status S3Store::remove_batch(std::span<const std::string> names) {
  // Names have no character that XML would want escaped (object_name.h); neither has the prefix (location.h).
  std::string body = "<Delete><Quiet>true</Quiet>";
  for (const std::string& name : names) body += fmt::format("<Object><Key>{}</Key></Object>", key_of(name));
  body += "</Delete>";
  const Sha256Digest digest = sha256(body);
  S3Request request;
  request.method = Method::kPost;
  request.query = {{"delete", ""}};
  request.body = body;
  request.body_digest = digest;
  request.headers = {{"x-amz-checksum-sha256", base64_of(digest)}};
  ASSIGN_OR_RETURN(HttpReply reply, client_->send(request));
  const std::string action = fmt::format("remove {} objects", names.size());
  if (reply.status != 200) return failure_of(action, reply);
  auto failures = decode_delete_failures(reply.body);
  if (!failures) return senseless(action, failures.error().what);
  if (failures->empty()) return {};
  const DeleteFailure& first = failures->front();
  Code code = first.code == "AccessDenied" ? Code::kAccess : Code::kUnavailable;
  return error(code, "remove {} in {}: the store refuses {} of {} ({}: {})", first.key, describe(), failures->size(),
               names.size(), first.code, first.message);
}

}  // namespace weir::object
