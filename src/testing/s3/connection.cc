#include "testing/s3/connection.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "base/limits.h"

namespace weir::testing::s3 {

Connection::Connection(FileDescriptor socket) : socket_(std::move(socket)) {
  const int on = 1;
  ::setsockopt(socket_.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
}

Result<std::optional<std::string>> Connection::read_head() {
  size_t searched = 0;
  while (true) {
    const size_t end = ahead_.find("\r\n\r\n", searched);
    if (end != std::string::npos) {
      std::string head = ahead_.substr(0, end + 4);
      ahead_.erase(0, end + 4);
      return head;
    }
    if (ahead_.size() > limits::kTestServerHeadBytes) return error(Code::kTooLarge, "a request's head has no end");
    searched = ahead_.size() < 3 ? 0 : ahead_.size() - 3;
    std::array<char, 16384> buffer;
    const ssize_t count = ::recv(socket_.get(), buffer.data(), buffer.size(), 0);
    if (count < 0 && errno == EINTR) continue;
    if (count == 0 && ahead_.empty()) return std::nullopt;
    if (count <= 0) return error(Code::kUnavailable, "the client went away in a request's head");
    ahead_.append(buffer.data(), static_cast<size_t>(count));
  }
}

Result<size_t> Connection::read_some(std::span<char> buffer) {
  if (!ahead_.empty()) {
    const size_t count = std::min(buffer.size(), ahead_.size());
    std::memcpy(buffer.data(), ahead_.data(), count);
    ahead_.erase(0, count);
    return count;
  }
  while (true) {
    const ssize_t count = ::recv(socket_.get(), buffer.data(), buffer.size(), 0);
    if (count > 0) return static_cast<size_t>(count);
    if (count == 0 || errno != EINTR) return error(Code::kUnavailable, "the client went away in a request's body");
  }
}

Status Connection::write(std::string_view first, std::string_view second) {
  while (!first.empty() || !second.empty()) {
    std::array<iovec, 2> parts{iovec{const_cast<char*>(first.data()), first.size()},
                               iovec{const_cast<char*>(second.data()), second.size()}};
    msghdr message{};
    message.msg_iov = parts.data();
    message.msg_iovlen = parts.size();
    const ssize_t sent = ::sendmsg(socket_.get(), &message, MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0) return error(Code::kUnavailable, "the client went away in an answer");
    const size_t of_first = std::min(first.size(), static_cast<size_t>(sent));
    first.remove_prefix(of_first);
    second.remove_prefix(static_cast<size_t>(sent) - of_first);
  }
  return {};
}

bool Connection::wait_ms(int64_t duration_ms) {
  pollfd waited{socket_.get(), POLLRDHUP, 0};
  while (true) {
    const int ready = ::poll(&waited, 1, static_cast<int>(duration_ms));
    if (ready == 0) return true;
    if (ready > 0 || errno != EINTR) return false;
  }
}

void Connection::reset_on_close() {
  const linger at_once{1, 0};
  ::setsockopt(socket_.get(), SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
}

void Connection::end() {
  if (socket_.valid()) ::shutdown(socket_.get(), SHUT_RDWR);
}

}  // namespace weir::testing::s3
