#include "daemon/supervisor/message_socket.h"

#include <sys/socket.h>
#include <sys/time.h>

#include <cerrno>
#include <cstring>

#include "base/check.h"
#include "base/limits.h"

namespace weir {

namespace {

constexpr size_t kControlBytes = CMSG_SPACE(sizeof(int) * limits::kSupervisorDescriptors);

std::vector<FileDescriptor> take_descriptors(msghdr& header) {
  std::vector<FileDescriptor> descriptors;
  for (cmsghdr* part = CMSG_FIRSTHDR(&header); part != nullptr; part = CMSG_NXTHDR(&header, part)) {
    if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS) continue;
    const size_t count = (part->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (size_t i = 0; i < count; ++i) {
      int fd = -1;
      std::memcpy(&fd, CMSG_DATA(part) + i * sizeof(int), sizeof(int));
      descriptors.emplace_back(fd);
    }
  }
  return descriptors;
}

}  // namespace

Result<std::pair<MessageSocket, MessageSocket>> MessageSocket::pair() {
  int fds[2];
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) != 0)
    return errno_error(errno, "create a socket pair");
  const timeval timeout{limits::kSupervisorSendMs / 1000, 0};
  for (int fd : fds) ::setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout));
  return std::pair(MessageSocket(FileDescriptor(fds[0])), MessageSocket(FileDescriptor(fds[1])));
}

Status MessageSocket::send(const Json& body, std::span<const int> descriptors) const {
  std::string text = json_line(body);
  CHECK(text.size() <= limits::kSupervisorMessageBytes && descriptors.size() <= limits::kSupervisorDescriptors);
  alignas(cmsghdr) char control[kControlBytes] = {};
  iovec piece{text.data(), text.size()};
  msghdr header{};
  header.msg_iov = &piece;
  header.msg_iovlen = 1;
  if (!descriptors.empty()) {
    header.msg_control = control;
    header.msg_controllen = CMSG_SPACE(sizeof(int) * descriptors.size());
    cmsghdr* part = CMSG_FIRSTHDR(&header);
    part->cmsg_level = SOL_SOCKET;
    part->cmsg_type = SCM_RIGHTS;
    part->cmsg_len = CMSG_LEN(sizeof(int) * descriptors.size());
    std::memcpy(CMSG_DATA(part), descriptors.data(), sizeof(int) * descriptors.size());
  }
  while (::sendmsg(fd_.get(), &header, MSG_NOSIGNAL) < 0) {
    if (errno == EINTR) continue;
    if (errno == EPIPE || errno == ECONNRESET || errno == ENOTCONN)
      return error(Code::kUnavailable, "the other process is gone");
    if (errno == EAGAIN) return error(Code::kTimeout, "the other process takes no message");
    return errno_error(errno, "send to the other process");
  }
  return {};
}

Result<std::optional<ProcessMessage>> MessageSocket::receive() const {
  std::string text(limits::kSupervisorMessageBytes, '\0');
  alignas(cmsghdr) char control[kControlBytes];
  iovec piece{text.data(), text.size()};
  msghdr header{};
  header.msg_iov = &piece;
  header.msg_iovlen = 1;
  header.msg_control = control;
  header.msg_controllen = sizeof(control);
  ssize_t got;
  do {
    got = ::recvmsg(fd_.get(), &header, MSG_CMSG_CLOEXEC);
  } while (got < 0 && errno == EINTR);
  if (got < 0 && errno != ECONNRESET) return errno_error(errno, "receive from the other process");
  if (got <= 0) return std::nullopt;
  ProcessMessage message;
  message.descriptors = take_descriptors(header);
  if ((header.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0) return error(Code::kTooLarge, "a message was cut short");
  ASSIGN_OR_RETURN(message.body, parse_json_object({text.data(), static_cast<size_t>(got)}, "a message"));
  return std::optional(std::move(message));
}

}  // namespace weir
