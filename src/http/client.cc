#include "http/client.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <algorithm>
#include <cerrno>
#include <charconv>

#include "base/limits.h"

namespace weir::http {

namespace {

constexpr int64_t kLookMs = 100;  // between questions whether to keep going
constexpr size_t kReceiveBytes = 16u << 10;

std::string_view trimmed(std::string_view text) {
  const size_t first = text.find_first_not_of(" \t");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

std::string lower_case(std::string_view text) {
  std::string lower(text);
  for (char& letter : lower)
    if (letter >= 'A' && letter <= 'Z') letter = static_cast<char>(letter - 'A' + 'a');
  return lower;
}

std::optional<uint64_t> number_of(std::string_view digits) {
  uint64_t number = 0;
  auto [end, failure] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  if (digits.empty() || failure != std::errc() || end != digits.data() + digits.size()) return std::nullopt;
  return number;
}

std::string head_of(const Ask& ask, std::string_view host) {
  std::string head = fmt::format("{} {} HTTP/1.1\r\nHost: {}\r\n", ask.method, ask.target, host);
  for (const auto& [name, value] : ask.headers) head += fmt::format("{}: {}\r\n", name, value);
  if (!ask.body.empty() || ask.method == "POST" || ask.method == "PUT")
    head += fmt::format("Content-Length: {}\r\n", ask.body.size());
  head += "\r\n";
  return head;
}

}  // namespace

Result<Reply> parse_reply_head(std::string_view head) {
  auto wrong = [] { return error(Code::kInvalid, "the reply is not HTTP/1.1"); };
  Reply reply;
  size_t end = std::min(head.find("\r\n"), head.size());
  std::string_view line = head.substr(0, end);
  if (line.size() < 12 || !line.starts_with("HTTP/1.") || line[8] != ' ') return wrong();
  auto status = number_of(line.substr(9, 3));
  if (!status || *status < 100 || (line.size() > 12 && line[12] != ' ')) return wrong();
  reply.status = static_cast<int>(*status);
  for (size_t begin = end + 2; begin < head.size(); begin = end + 2) {
    end = std::min(head.find("\r\n", begin), head.size());
    line = head.substr(begin, end - begin);
    const size_t colon = line.find(':');
    if (colon == std::string_view::npos || colon == 0) return wrong();
    reply.headers[lower_case(line.substr(0, colon))] = trimmed(line.substr(colon + 1));
    if (reply.headers.size() > limits::kHttpReplyHeaders) return wrong();
  }
  return reply;
}

Result<std::unique_ptr<ClientConnection>> ClientConnection::open(const Address& address, const Patience& patience) {
  ASSIGN_OR_RETURN(SocketAddress target, SocketAddress::of(address));
  FileDescriptor socket(::socket(target.bytes.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket.valid()) return errno_error(errno, "create a socket");
  const int on = 1;
  if (::setsockopt(socket.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) != 0)
    return errno_error(errno, "set up a socket");
  std::unique_ptr<ClientConnection> made(new ClientConnection(std::move(socket), address.text()));
  if (::connect(made->socket_.get(), target.get(), target.size) == 0) return made;
  int failure = errno;
  if (failure == EINPROGRESS) {
    TRY(made->wait_for(POLLOUT, patience));
    socklen_t size = sizeof failure;
    if (::getsockopt(made->socket_.get(), SOL_SOCKET, SO_ERROR, &failure, &size) != 0) failure = errno;
  }
  if (failure == 0) return made;
  return error(Code::kUnavailable, "cannot connect to {}: {}", address.text(),
               std::generic_category().message(failure));
}

Status ClientConnection::wait_for(short events, const Patience& patience) {
  const int64_t begun_ns = patience.clock->monotonic_ns();
  for (;;) {
    pollfd entry{socket_.get(), events, 0};
    const int ready = ::poll(&entry, 1, kLookMs);
    if (ready > 0) return {};
    if (ready < 0 && errno != EINTR) return errno_error(errno, "wait for a socket");
    const int64_t now_ns = patience.clock->monotonic_ns();
    if (patience.keep_going && !patience.keep_going()) return error(Code::kInterrupted, "interrupted");
    if (now_ns >= patience.deadline_ns) return error(Code::kTimeout, "{} did not answer in time", where_);
    if (patience.stall_ms > 0 && now_ns - begun_ns >= patience.stall_ms * 1'000'000)
      return error(Code::kTimeout, "{} did not answer for {} ms", where_, patience.stall_ms);
  }
}

Status ClientConnection::send(std::string_view head, std::string_view body, const Patience& patience) {
  while (!head.empty() || !body.empty()) {
    iovec parts[2] = {{const_cast<char*>(head.data()), head.size()}, {const_cast<char*>(body.data()), body.size()}};
    msghdr message{};
    message.msg_iov = parts;
    message.msg_iovlen = 2;
    const ssize_t sent = ::sendmsg(socket_.get(), &message, MSG_NOSIGNAL);
    if (sent < 0 && (errno == EAGAIN || errno == EINTR)) {
      TRY(wait_for(POLLOUT, patience));
      continue;
    }
    if (sent < 0)
      return error(Code::kUnavailable, "cannot send to {}: {}", where_, std::generic_category().message(errno));
    const size_t of_head = std::min(head.size(), static_cast<size_t>(sent));
    head.remove_prefix(of_head);
    body.remove_prefix(static_cast<size_t>(sent) - of_head);
  }
  return {};
}

Result<size_t> ClientConnection::receive(std::span<char> into, const Patience& patience) {
  for (;;) {
    const ssize_t count = ::recv(socket_.get(), into.data(), into.size(), 0);
    if (count > 0) return static_cast<size_t>(count);
    if (count == 0) return error(Code::kUnavailable, "{} closed the connection", where_);
    if (errno != EAGAIN && errno != EINTR)
      return error(Code::kUnavailable, "cannot receive from {}: {}", where_, std::generic_category().message(errno));
    TRY(wait_for(POLLIN, patience));
  }
}

Result<Reply> ClientConnection::receive_head(const Patience& patience) {
  for (;;) {
    const size_t end = received_.find("\r\n\r\n");
    if (end != std::string::npos) {
      auto reply = parse_reply_head(std::string_view(received_).substr(0, end));
      if (!reply) return error(reply.error().code, "{}: {}", where_, reply.error().what);
      received_.erase(0, end + 4);
      return reply;
    }
    if (received_.size() > limits::kHttpReplyHeadBytes)
      return error(Code::kTooLarge, "the head of the reply of {} has no end", where_);
    const size_t had = received_.size();
    received_.resize(had + kReceiveBytes);
    auto count = receive(std::span<char>(received_.data() + had, kReceiveBytes), patience);
    received_.resize(had + (count ? *count : 0));
    if (!count) return Failure(count.error());
    nothing_came_ = false;
  }
}

Status ClientConnection::receive_body(Reply& reply, std::span<char> buffer, const Patience& patience) {
  if (reply.status == 204 || reply.status == 304) return {};
  auto place = reply.headers.find("content-length");
  auto length = place == reply.headers.end() ? std::nullopt : number_of(place->second);
  if (!length) return error(Code::kInvalid, "the reply of {} does not say how long it is", where_);
  reply.in_buffer = reply.status == 200 && !buffer.empty() && *length == buffer.size();
  if (!reply.in_buffer) {
    if (*length > limits::kHttpReplyBytes)
      return error(Code::kTooLarge, "a reply of {} has {} bytes, too many to be expected", where_, *length);
    reply.body.resize(*length);
    buffer = std::span<char>(reply.body.data(), reply.body.size());
  }
  const size_t here = std::min(received_.size(), buffer.size());
  std::copy_n(received_.begin(), here, buffer.begin());
  received_.erase(0, here);
  for (size_t filled = here; filled < buffer.size();) {
    ASSIGN_OR_RETURN(size_t count, receive(buffer.subspan(filled), patience));
    filled += count;
  }
  return {};
}

Result<Reply> ClientConnection::ask(const Ask& ask, std::span<char> buffer, const Patience& patience) {
  nothing_came_ = true;
  usable_ = false;
  TRY(send(head_of(ask, where_), ask.body, patience));
  ASSIGN_OR_RETURN(Reply reply, receive_head(patience));
  TRY(receive_body(reply, buffer, patience));
  auto connection = reply.headers.find("connection");
  usable_ = received_.empty() && (connection == reply.headers.end() || lower_case(connection->second) != "close");
  return reply;
}

}  // namespace weir::http
