#include "testing/s3/fault_server.h"

#include <fmt/format.h>

#include "base/limits.h"
#include "testing/s3/control_port.h"

namespace weir::testing::s3 {
namespace {

/// A request's head, or nothing when the connection ended or makes no sense.
std::optional<Request> next_request(Connection& connection) {
  const auto head = connection.read_head();
  if (!head || !*head) return std::nullopt;
  auto request = parse_request(**head);
  if (!request) {
    Response response = error_response({400, "BadRequest", "This is no request of HTTP/1.1", ""}, "");
    response.close = true;
    (void)connection.write(head_of(response), response.body.bytes);  // the connection ends in any case
  }
  return request;
}

/// Nothing when the client left or the body is too large.
std::optional<std::string> whole_body(Connection& connection, const Request& request) {
  const uint64_t length = request.content_length().value_or(0);
  if (length > limits::kTestServerHeadBytes) return std::nullopt;
  std::string body(length, '\0');
  for (size_t received = 0; received < length;) {
    const auto count = connection.read_some(std::span(body).subspan(received));
    if (!count) return std::nullopt;
    received += *count;
  }
  return body;
}

}  // namespace

Result<std::unique_ptr<FaultServer>> FaultServer::start(const Options& options) {
  std::unique_ptr<FaultServer> server(new FaultServer(options));
  FaultServer& self = *server;
  ASSIGN_OR_RETURN(self.listener_, Listener::open(
                                       options.port, [&self](Connection& c) { self.serve(c); }, options.address));
  ASSIGN_OR_RETURN(self.control_listener_,
                   Listener::open(options.control_port, [&self](Connection& c) { self.serve_control(c); }));
  return server;
}

FaultServer::FaultServer(const Options& options)
    : address_(options.address),
      credential_(options.credential),
      state_(options.clock ? *options.clock : system_clock_, options.seed),
      metadata_(state_.credentials, [this] { return state_.realtime_ns() / 1'000'000'000; }) {
  state_.region = options.region;
  state_.host_suffix = options.host_suffix;
  state_.credentials.set(options.credential);
  for (const std::string& bucket : options.buckets) state_.objects.make_bucket(bucket);
}

FaultServer::~FaultServer() {
  set_holding(false);
  control_listener_.reset();  // its commands use the other one
  listener_.reset();
}

std::string FaultServer::endpoint() const { return fmt::format("http://{}:{}", address_, port()); }

std::string FaultServer::control_endpoint() const { return fmt::format("http://127.0.0.1:{}", control_port()); }

void FaultServer::refuse_connections() { listener_->close(); }

Status FaultServer::accept_connections() { return listener_->open_again(); }

void FaultServer::set_unreachable(bool unreachable) {
  state_.unreachable = unreachable;
  if (!unreachable) listener_->end_all();
}

void FaultServer::set_holding(bool holding) {
  state_.holding = holding;
  state_.holding.notify_all();
}

void FaultServer::serve(Connection& connection) {
  while (auto request = next_request(connection)) {
    if (!Exchange(state_, connection, std::move(*request)).run()) return;
  }
}

void FaultServer::serve_control(Connection& connection) {
  while (auto request = next_request(connection)) {
    const auto body = whole_body(connection, *request);
    if (!body) return;
    auto response = metadata_.answer(*request);
    if (!response) {
      const auto answer = control(*this, request->method, request->path, *body);
      response.emplace();
      response->status = answer ? 200 : 400;
      response->headers = {{"Content-Type", "application/json"}};
      response->body = body_of(answer ? *answer : answer.error().what + "\n");
    }
    if (!connection.write(head_of(*response), response->body.bytes)) return;
  }
}

}  // namespace weir::testing::s3
