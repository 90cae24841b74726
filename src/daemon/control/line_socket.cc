#include "daemon/control/line_socket.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstring>

#include "base/clock.h"

namespace weir {

namespace {

constexpr int64_t kConnectAgainMs = 20;

int64_t now_ms() { return SystemClock().monotonic_ns() / 1'000'000; }

int64_t deadline_of(int64_t timeout_ms) { return timeout_ms < 0 ? INT64_MAX : now_ms() + timeout_ms; }

int poll_timeout(int64_t deadline_ms) {
  if (deadline_ms == INT64_MAX) return -1;
  return static_cast<int>(std::clamp<int64_t>(deadline_ms - now_ms(), 0, INT_MAX));
}

}  // namespace

LineSocket::LineSocket(FileDescriptor fd, size_t line_bytes_max) : fd_(std::move(fd)), line_bytes_max_(line_bytes_max) {
  ::fcntl(fd_.get(), F_SETFL, ::fcntl(fd_.get(), F_GETFL) | O_NONBLOCK);
}

Result<LineSocket> LineSocket::connect(const std::string& path, size_t line_bytes_max, int64_t timeout_ms) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) return error(Code::kNameTooLong, "socket path {} is too long", path);
  std::memcpy(address.sun_path, path.data(), path.size());
  FileDescriptor fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd.valid()) return errno_error(errno, "create a socket");
  const int64_t deadline_ms = deadline_of(timeout_ms);
  while (::connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
    if (errno == ECONNREFUSED) return error(Code::kUnavailable, "nobody listens at {}", path);
    if (errno != EAGAIN) return errno_error(errno, fmt::format("connect to {}", path));
    // As many as may wait for it do so already; poll() does not tell when there is room.
    if (now_ms() >= deadline_ms)
      return error(Code::kTimeout, "the process that listens at {} takes no connections: is it stopped?", path);
    SystemClock().sleep_ms(kConnectAgainMs);
  }
  return LineSocket(std::move(fd), line_bytes_max);
}

Result<bool> LineSocket::wait_for(short events, int64_t deadline_ms) const {
  for (;;) {
    pollfd entry{fd_.get(), events, 0};
    int ready = ::poll(&entry, 1, poll_timeout(deadline_ms));
    if (ready > 0) return true;
    if (ready == 0) return false;
    if (errno != EINTR) return errno_error(errno, "wait for the control socket");
  }
}

Result<std::optional<std::string>> LineSocket::read_line(int64_t timeout_ms) {
  const int64_t deadline_ms = deadline_of(timeout_ms);
  size_t searched = 0;
  for (;;) {
    size_t end = buffer_.find('\n', searched);
    if (end != std::string::npos && end <= line_bytes_max_) {
      std::string line = buffer_.substr(0, end);
      buffer_.erase(0, end + 1);
      return line;
    }
    searched = buffer_.size();
    if (searched > line_bytes_max_) return error(Code::kTooLarge, "a line is longer than {} bytes", line_bytes_max_);

    ASSIGN_OR_RETURN(bool ready, wait_for(POLLIN, deadline_ms));
    if (!ready) return error(Code::kTimeout, "no whole line came within {} ms", timeout_ms);
    char bytes[16384];
    ssize_t got = ::recv(fd_.get(), bytes, sizeof bytes, 0);
    if (got > 0) buffer_.append(bytes, static_cast<size_t>(got));
    if (got == 0 && buffer_.empty()) return std::nullopt;
    if (got == 0) return error(Code::kInvalid, "the line breaks off after {} bytes", buffer_.size());
    if (got < 0 && errno == ECONNRESET) return std::nullopt;
    if (got < 0 && errno != EAGAIN && errno != EINTR) return errno_error(errno, "read from the control socket");
  }
}

Status LineSocket::write_line(std::string_view line, int64_t timeout_ms) {
  const int64_t deadline_ms = deadline_of(timeout_ms);
  std::string bytes(line);
  bytes += '\n';
  std::string_view rest = bytes;
  while (!rest.empty()) {
    ssize_t sent = ::send(fd_.get(), rest.data(), rest.size(), MSG_NOSIGNAL);
    if (sent > 0) rest.remove_prefix(static_cast<size_t>(sent));
    if (sent >= 0 || errno == EINTR) continue;
    if (errno == EPIPE || errno == ECONNRESET) return error(Code::kUnavailable, "the other side has closed");
    if (errno != EAGAIN) return errno_error(errno, "write to the control socket");
    ASSIGN_OR_RETURN(bool ready, wait_for(POLLOUT, deadline_ms));
    if (!ready) return error(Code::kTimeout, "the other side took nothing for {} ms", timeout_ms);
  }
  return {};
}

bool LineSocket::peer_gone() const {
  pollfd entry{fd_.get(), 0, 0};
  return ::poll(&entry, 1, 0) > 0 && (entry.revents & (POLLHUP | POLLERR)) != 0;
}

void LineSocket::shutdown_reading() const { ::shutdown(fd_.get(), SHUT_RD); }

}  // namespace weir
