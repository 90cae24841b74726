#include "base/check.h"
#include "base/limits.h"
#include "object/s3/failures.h"
#include "object/s3/s3_store.h"

namespace weir::object {

namespace {

constexpr char kMarker[] = "weir-store";

std::string_view without_newline(std::string_view text) { return text.substr(0, text.find_last_not_of('\n') + 1); }

/// The server knows PUT, but not "only where nothing is".
bool knows_no_condition(const HttpReply& reply) { return reply.status == 501 || reply.status == 400; }

}  // namespace

Result<std::unique_ptr<S3Store>> S3Store::create(std::unique_ptr<S3Client> client, std::string_view marker,
                                                 const Clock& clock) {
  CHECK(!marker.empty() && marker.size() < limits::kStoreMarkerBytes);
  std::unique_ptr<S3Store> store(new S3Store(std::move(client), marker, clock));
  ASSIGN_OR_RETURN(std::optional<Bytes> found, store->load_marker());
  if (!found) {
    TRY(store->check_unused());
    TRY(store->make_marker());
    ASSIGN_OR_RETURN(found, store->load_marker());
  }
  if (!found) return error(Code::kUnavailable, "{} does not give back what was put into it", store->describe());
  if (*found != marker)
    return error(Code::kExists, "{} is the object store of another volume: its marker is '{}'", store->describe(),
                 without_newline(*found));
  return store;
}

Result<std::unique_ptr<S3Store>> S3Store::open(std::unique_ptr<S3Client> client, std::string_view marker,
                                               const Clock& clock) {
  std::unique_ptr<S3Store> store(new S3Store(std::move(client), marker, clock));
  TRY(store->check_marker());
  return store;
}

std::unique_ptr<S3Store> S3Store::resume(std::unique_ptr<S3Client> client, std::string_view marker,
                                         const Clock& clock) {
  return std::unique_ptr<S3Store>(new S3Store(std::move(client), marker, clock));
}

Result<std::optional<Bytes>> S3Store::read_marker(std::unique_ptr<S3Client> client, const Clock& clock) {
  return S3Store(std::move(client), "", clock).load_marker();
}

std::string S3Store::marker_key() const {
  const std::string& prefix = client_->location().prefix;
  return fmt::format("{}{}{}", prefix, prefix.empty() ? "" : "/", kMarker);
}

Result<std::optional<Bytes>> S3Store::load_marker() {
  const std::string key = marker_key();
  Bytes bytes(limits::kStoreMarkerBytes, '\0');
  S3Request request;
  request.key = key;
  request.into = std::span(bytes.data(), bytes.size());
  ASSIGN_OR_RETURN(HttpReply reply, client_->send(request));
  if (says_no_such_object(reply, false)) return std::nullopt;
  if (reply.status != 200) return failure_of(fmt::format("read {}", kMarker), reply);
  TRY(check_length(fmt::format("read {}", kMarker), reply));
  bytes.resize(reply.into_bytes);
  return bytes;
}

Status S3Store::check_marker() {
  ASSIGN_OR_RETURN(std::optional<Bytes> found, load_marker());
  if (!found) return error(Code::kUnavailable, "{} is no object store of Weir: it has no {}", describe(), kMarker);
  if (*found != marker_)
    return error(Code::kInvalid, "{} is the object store of another volume: its marker is '{}'", describe(),
                 without_newline(*found));
  marker_seen_ns_ = clock_.monotonic_ns();
  return {};
}

Status S3Store::check_marker_if_old() {
  int64_t seen_ns = marker_seen_ns_;
  if (seen_ns != INT64_MIN && clock_.monotonic_ns() - seen_ns < limits::kStoreMarkerAgeMs * 1'000'000) return {};
  return check_marker();
}

Status S3Store::make_marker() {
  HttpReply reply;
  TRY(put_key(marker_key(), marker_, {{"if-none-match", "*"}}, reply));
  // Who else makes a store here at this moment is found when the marker is read back.
  if (knows_no_condition(reply)) TRY(put_key(marker_key(), marker_, {}, reply));
  if (reply.status == 412 || reply.status == 200) return {};
  return failure_of(fmt::format("put {}", kMarker), reply);
}

Status S3Store::change_marker(std::string_view marker) {
  TRY(check_marker());
  HttpReply reply;
  TRY(put_key(marker_key(), marker, {}, reply));
  if (reply.status == 200) return {};
  return failure_of(fmt::format("put {}", kMarker), reply);
}

Status S3Store::check_unused() {
  const std::string& prefix = client_->location().prefix;
  ASSIGN_OR_RETURN(ListReply reply, list_once({{"prefix", prefix.empty() ? "" : prefix + "/"}, {"max-keys", "1"}},
                                              "list what is there"));
  if (reply.objects.empty()) return {};
  return error(Code::kNotEmpty, "{} cannot become an object store: it has {} in it; name an empty or absent prefix",
               describe(), reply.objects.front().name);
}

}  // namespace weir::object
