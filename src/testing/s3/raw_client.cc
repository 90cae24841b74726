#include "testing/s3/raw_client.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>

#include "base/clock.h"
#include "base/hex.h"
#include "testing/s3/digests.h"
#include "testing/s3/signature.h"
#include "testing/s3/times.h"

namespace weir::testing::s3 {
namespace {

/// Sends all it can: an early answer of the server is worth reading although the rest of a body was not taken.
/// False: the connection was reset. The socket tells that only once, so what is received afterwards looks like an
/// orderly end.
bool send_all(int socket, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = ::send(socket, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent <= 0) return errno != ECONNRESET;
    bytes.remove_prefix(static_cast<size_t>(sent));
  }
  return true;
}

Ending ending_of(ssize_t received) {
  if (received == 0) return Ending::kShort;
  return errno == EAGAIN || errno == EWOULDBLOCK ? Ending::kTimedOut : Ending::kReset;
}

void parse_head(RawAnswer& answer, std::string_view head) {
  // A status line has the shape of a request's line: three words.
  const std::string_view line = head.substr(0, head.find("\r\n"));
  std::from_chars(line.data() + std::min<size_t>(9, line.size()), line.data() + line.size(), answer.status);
  const auto headers = parse_request(fmt::format("GET / HTTP/1.1{}", head.substr(line.size())));
  if (headers) answer.headers = headers->headers;
}

uint64_t declared_length(const RawAnswer& answer, std::string_view method) {
  if (method == "HEAD") return 0;
  Request as_request;
  as_request.headers = answer.headers;
  return as_request.content_length().value_or(0);
}

RawAnswer receive(int socket, std::string_view method) {
  RawAnswer answer;
  std::string received;
  size_t head_end = std::string::npos;
  std::array<char, 65536> buffer;
  while (true) {
    if (answer.status == 0 && (head_end = received.find("\r\n\r\n")) != std::string::npos) {
      if (received.starts_with("HTTP/1.1 100")) {
        received.erase(0, head_end + 4);
        continue;
      }
      parse_head(answer, received.substr(0, head_end + 4));
    }
    const bool has_head = answer.status != 0;
    if (has_head) answer.body = received.substr(head_end + 4);
    answer.ending = Ending::kWhole;
    if (has_head && answer.body.size() >= declared_length(answer, method)) return answer;
    const ssize_t count = ::recv(socket, buffer.data(), buffer.size(), 0);
    answer.ending = ending_of(count);
    if (count <= 0) return answer;
    received.append(buffer.data(), static_cast<size_t>(count));
  }
}

}  // namespace

std::string RawAnswer::header(std::string_view name) const {
  for (const auto& [other, value] : headers) {
    if (same_header_name(other, name)) return value;
  }
  return {};
}

std::string RawAnswer::code() const {
  const size_t start = body.find("<Error><Code>");
  if (start == std::string::npos) return {};
  return body.substr(start + 13, body.find("</Code>") - start - 13);
}

Request RawClient::signed_request(std::string_view method, std::string_view target, std::string_view body,
                                  const Headers& headers) const {
  Request request;
  request.method = method;
  request.path = target.substr(0, target.find('?'));
  if (target.find('?') != std::string_view::npos) request.query = target.substr(target.find('?') + 1);
  request.headers = headers;
  const int64_t now_seconds = SystemClock().realtime_ns() / 1'000'000'000 - skew_seconds_;
  const Headers own = {{"Host", fmt::format("127.0.0.1:{}", port_)},
                       {"X-Amz-Date", compact_time(now_seconds)},
                       {"X-Amz-Content-Sha256", to_hex(sha256_bytes(body))},
                       {"Content-Length", fmt::to_string(body.size())}};
  for (const auto& header : own) {
    if (!request.header(header.first)) request.headers.push_back(header);
  }
  if (credential_.access_key.empty()) return request;
  if (!credential_.session_token.empty()) {
    request.headers.emplace_back("X-Amz-Security-Token", credential_.session_token);
  }
  const std::string time(*request.header("x-amz-date"));
  Authorization authorization{credential_.access_key, time.substr(0, 8), region_, "s3", {}, ""};
  for (const auto& [name, value] : request.headers) {
    std::string lower = name;
    std::transform(lower.begin(), lower.end(), lower.begin(), [](unsigned char byte) { return std::tolower(byte); });
    authorization.signed_headers.push_back(lower);
  }
  std::sort(authorization.signed_headers.begin(), authorization.signed_headers.end());
  const auto signature =
      expected_signature(request, authorization, credential_.secret_key, time, *request.header("x-amz-content-sha256"));
  request.headers.emplace_back(
      "Authorization",
      fmt::format("AWS4-HMAC-SHA256 Credential={}/{}/{}/s3/aws4_request, SignedHeaders={}, Signature={}",
                  credential_.access_key, authorization.date, region_, fmt::join(authorization.signed_headers, ";"),
                  signature.value_or("")));
  return request;
}

FileDescriptor RawClient::connect() const {
  FileDescriptor socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port_);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const timeval timeout{timeout_ms_ / 1000, timeout_ms_ % 1000 * 1000};
  ::setsockopt(socket.get(), SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
  ::setsockopt(socket.get(), SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout));
  if (::connect(socket.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0) socket.reset();
  return socket;
}

RawAnswer RawClient::request(std::string_view method, std::string_view target, std::string_view body,
                             const Headers& headers) const {
  const FileDescriptor socket = connect();
  if (!socket.valid()) return {};
  const Request request = signed_request(method, target, body, headers);
  std::string head = fmt::format("{} {} HTTP/1.1\r\n", method, target);
  for (const auto& [name, value] : request.headers) head += fmt::format("{}: {}\r\n", name, value);
  const bool sent = send_all(socket.get(), head + "\r\n") && send_all(socket.get(), body);
  RawAnswer answer = receive(socket.get(), method);
  if (!sent && answer.ending == Ending::kShort) answer.ending = Ending::kReset;
  return answer;
}

}  // namespace weir::testing::s3
