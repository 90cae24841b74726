#include "testing/s3/exchange.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/limits.h"
#include "testing/s3/operations.h"
#include "testing/s3/payload_checks.h"
#include "testing/s3/signature.h"

namespace weir::testing::s3 {
namespace {

constexpr int64_t kNsPerSecond = 1'000'000'000;
constexpr int kPiecesPerSecond = 20;  // of a slow body
constexpr std::string_view kGatewayPage =
    "<html><head><title>502 Bad Gateway</title></head><body><center><h1>502 Bad Gateway</h1></center></body></html>\n";

Response bad_gateway() {
  Response response;
  response.status = 502;
  response.headers = {{"Content-Type", "text/html"}};
  response.body = body_of(std::string(kGatewayPage));
  return response;
}

/// "200", or "503 SlowDown".
std::string answer_name(const Response& response) {
  std::string name = fmt::to_string(response.status);
  const std::string_view text = response.body.bytes.substr(0, 1024);
  const size_t code = text.find("<Error><Code>");
  if (code == std::string_view::npos) return name;
  return fmt::format("{} {}", name, text.substr(code + 13, text.find("</Code>") - code - 13));
}

std::optional<std::string> range_header(const Response& response) {
  for (const auto& [name, value] : response.headers) {
    if (name == "Content-Range") return value;
  }
  return std::nullopt;
}

void set_header(Response& response, std::string_view name, const std::string& value) {
  for (auto& header : response.headers) {
    if (header.first == name) header.second = value;
  }
}

}  // namespace

Exchange::Exchange(ServerState& state, Connection& connection, Request request)
    : state_(state),
      connection_(connection),
      request_(std::move(request)),
      route_(route_of(request_, state.host_suffix)) {}

bool Exchange::run() {
  state_.holding.wait(true);
  const bool unreachable = state_.unreachable;
  state_.counters.begin(route_, request_.proxied);
  if (!unreachable) fault_ = state_.faults.choose(route_);
  if (unreachable) connection_.wait_ms(-1);
  const bool keep = !unreachable && go_on();
  count_end("none");
  return keep;
}

void Exchange::count_end(const std::string& answer) {
  if (!counted_) state_.counters.end(route_, answer, put_done_, slowed_down_);
  counted_ = true;
}

bool Exchange::go_on() {
  std::optional<Response> early = refusal();
  if (!receive_body(early.has_value())) return false;
  if (!early) early = answer_of_fault();
  Response response = early ? std::move(*early) : perform_call();
  if (has(FaultKind::kLostResponse) || has(FaultKind::kLostByReset)) {
    if (has(FaultKind::kLostByReset)) connection_.reset_on_close();
    return false;
  }
  if (response.status < 300) harm(response);
  if (has(FaultKind::kSlowFirstByte) && !connection_.wait_ms(fault_->delay_ms)) return false;
  return send(std::move(response));
}

std::optional<Response> Exchange::refusal() {
  if (!state_.rate.admit(request_.content_length().value_or(0))) {
    slowed_down_ = true;
    return error_response({503, "SlowDown", "Please reduce your request rate.", ""}, request_.path);
  }
  if (request_.header("transfer-encoding")) {
    return error_response({501, "NotImplemented", "This server takes no Transfer-Encoding", ""}, request_.path);
  }
  auto who = authenticate(request_, state_.credentials, state_.region, state_.realtime_ns() / kNsPerSecond);
  if (const auto* problem = std::get_if<S3Error>(&who)) return error_response(*problem, request_.path);
  credential_ = std::get<Credential>(std::move(who));
  if (route_.operation == Operation::kPutObject && !request_.content_length()) {
    return error_response({411, "MissingContentLength", "You must provide the Content-Length HTTP header.", ""},
                          request_.path);
  }
  if (request_.content_length().value_or(0) > limits::kTestServerBodyBytes) {
    return error_response({400, "EntityTooLarge", "The body is too large for this server", ""}, request_.path);
  }
  return std::nullopt;
}

std::optional<Response> Exchange::answer_of_fault() const {
  const auto fail = [&](int status, std::string_view code, std::string_view message) {
    return error_response({status, std::string(code), std::string(message), ""}, request_.path);
  };
  if (!fault_) return std::nullopt;
  switch (fault_->kind) {
    case FaultKind::kSlowDown: return fail(503, "SlowDown", "Please reduce your request rate.");
    case FaultKind::kTooManyRequests: return fail(429, "TooManyRequests", "Please reduce your request rate.");
    case FaultKind::kInternalError: return fail(500, "InternalError", "We encountered an internal error.");
    case FaultKind::kBadGateway: return bad_gateway();
    case FaultKind::kExpiredToken: return fail(400, "ExpiredToken", "The provided token has expired.");
    case FaultKind::kAccessDenied: return fail(403, "AccessDenied", "Access Denied");
    case FaultKind::kOkWithError: return fail(200, "InternalError", "We encountered an internal error.");
    default: return std::nullopt;
  }
}

bool Exchange::receive_body(bool refused) {
  const uint64_t length = request_.content_length().value_or(0);
  const bool waits = same_header_name(request_.header("expect").value_or(""), "100-continue");
  // A client that waits for leave does not send the body of a request that is refused.
  if (refused && (waits || length > limits::kTestServerBodyBytes || request_.header("transfer-encoding"))) {
    body_unread_ = true;
    return true;
  }
  if (waits && !connection_.write("HTTP/1.1 100 Continue\r\n\r\n")) return false;
  if (!receive_pieces(length)) return false;
  state_.counters.received_whole(route_);
  return true;
}

bool Exchange::receive_pieces(uint64_t length) {
  const bool stops = has(FaultKind::kResetRequest) || has(FaultKind::kStallRequest);
  const uint64_t until = stops ? std::min(length, fault_bytes(length)) : length;
  body_.resize(until);
  uint64_t received = 0;
  while (received < until) {
    const size_t wanted = std::min<uint64_t>(until - received, limits::kTestServerPieceBytes);
    const auto count = connection_.read_some(std::span(body_).subspan(received, wanted));
    if (!count) return false;
    state_.counters.received(route_, *count);
    received += *count;
    if (has(FaultKind::kSlowRequest) &&
        !connection_.wait_ms(static_cast<int64_t>(*count * 1000 / fault_->bytes_per_second))) {
      return false;
    }
  }
  if (!stops) return true;
  if (has(FaultKind::kResetRequest)) connection_.reset_on_close();
  if (has(FaultKind::kStallRequest)) connection_.wait_ms(-1);
  return false;
}

Response Exchange::perform_call() {
  const int64_t age_ms = has(FaultKind::kStaleList) ? fault_->delay_ms : 0;
  Response response = perform(state_.objects, state_.region, state_.realtime_ns(),
                              {request_, route_, *credential_, std::move(body_), age_ms});
  put_done_ = route_.operation == Operation::kPutObject && response.status == 200;
  return response;
}

uint64_t Exchange::fault_bytes(uint64_t body_bytes) const { return fault_->bytes.value_or(body_bytes / 2); }

void Exchange::harm(Response& response) {
  if (!fault_) return;
  const uint64_t length = response.body.bytes.size();
  switch (fault_->kind) {
    case FaultKind::kErrorWithData: response.status = 500; break;
    case FaultKind::kShortLength: response.body.bytes = response.body.bytes.substr(0, fault_bytes(length)); break;
    case FaultKind::kLongBody:
      response.body = body_of(std::string(response.body.bytes) + std::string(fault_->bytes.value_or(1), 'x'));
      break;
    case FaultKind::kWrongBytes: {
      std::string harmed(response.body.bytes);
      if (!harmed.empty()) harmed[fault_bytes(length) % length] ^= 1;
      response.body = body_of(std::move(harmed));
      break;
    }
    case FaultKind::kWrongRange: move_range(response, true); break;
    case FaultKind::kLyingRange: move_range(response, false); break;
    case FaultKind::kIgnoredRange:
      if (!response.body.owner || response.status != 206) break;
      response.status = 200;
      std::erase_if(response.headers, [](const auto& header) { return header.first == "Content-Range"; });
      response.body.bytes = *response.body.owner;
      break;
    default: break;
  }
}

/// As many bytes of the same object from another place, where it has one.
void Exchange::move_range(Response& response, bool say_so) {
  if (!range_header(response) || !response.body.owner) return;
  const std::string_view whole = *response.body.owner;
  const size_t length = response.body.bytes.size();
  const auto offset = static_cast<size_t>(response.body.bytes.data() - whole.data());
  const size_t other = offset > 0 ? offset - 1 : std::min(offset + 1, whole.size() - length);
  response.body.bytes = whole.substr(other, length);
  if (say_so) {
    set_header(response, "Content-Range", fmt::format("bytes {}-{}/{}", other, other + length - 1, whole.size()));
  }
}

bool Exchange::send(Response response) {
  count_end(answer_name(response));  // first, so that who has the answer finds it counted
  const bool is_head = request_.method == "HEAD";
  if (is_head) {
    response.declared_length = response.body.bytes.size();
    response.body = {};
  }
  response.close = body_unread_;
  response.headers.emplace_back("Server", "weir-s3-fault-server");
  response.headers.emplace_back("x-amz-request-id", "0000000000000000");
  std::string_view body = response.body.bytes;
  const bool cut = !is_head && (has(FaultKind::kResetResponse) || has(FaultKind::kShortBody) || has(FaultKind::kStall));
  if (cut) {
    response.declared_length = body.size();
    body = body.substr(0, std::min<uint64_t>(body.size(), fault_bytes(body.size())));
  }
  state_.rate.charge(body.size());
  if (!send_body(head_of(response), body)) return false;
  if (cut && has(FaultKind::kResetResponse)) connection_.reset_on_close();
  if (cut && has(FaultKind::kStall)) connection_.wait_ms(-1);
  return !cut && !response.close;
}

bool Exchange::send_body(std::string_view head, std::string_view body) {
  const bool slow = has(FaultKind::kSlowBody);
  const uint64_t wanted =
      slow ? std::max<uint64_t>(1, fault_->bytes_per_second / kPiecesPerSecond) : limits::kTestServerPieceBytes;
  do {
    const std::string_view piece = body.substr(0, wanted);
    state_.counters.sent(route_, piece.size());
    if (!connection_.write(head, piece)) return false;
    head = {};
    body.remove_prefix(piece.size());
    if (slow && !connection_.wait_ms(1000 / kPiecesPerSecond)) return false;
  } while (!body.empty());
  return true;
}

}  // namespace weir::testing::s3
