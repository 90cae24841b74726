#include "fuse/reply_port.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <ctime>

#include "base/check.h"
#include "base/log.h"

namespace weir::fuse {

namespace {

constexpr size_t kPiecesOnStack = 15;

bool is_socket(int fd) {
  struct stat status {};
  return ::fstat(fd, &status) == 0 && S_ISSOCK(status.st_mode);
}

/// The fake kernel's socket can be full, unlike /dev/fuse.
ssize_t send_to_socket(int fd, iovec* pieces, size_t count) {
  msghdr message{};
  message.msg_iov = pieces;
  message.msg_iovlen = count;
  while (true) {
    const ssize_t sent = ::sendmsg(fd, &message, MSG_NOSIGNAL);
    if (sent >= 0 || errno != EAGAIN) return sent;
    pollfd writable{fd, POLLOUT, 0};
    ::poll(&writable, 1, -1);
  }
}

bool connection_is_gone(int error_number) {
  return error_number == ENODEV || error_number == ENOTCONN || error_number == EPIPE || error_number == ECONNRESET ||
         error_number == ECONNABORTED;
}

}  // namespace

int64_t reply_clock_ns() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1'000'000'000 + now.tv_nsec;
}

ReplyPort::ReplyPort(std::vector<FileDescriptor> devices, std::shared_ptr<SharedMemory> memory,
                     std::function<void(uint64_t)> answered)
    : devices_(std::move(devices)),
      is_socket_(is_socket(devices_.front().get())),
      answered_(std::move(answered)),
      buffers_(std::move(memory)) {}

bool ReplyPort::is_awaited(uint64_t unique, size_t device) {
  if (is_socket_) return true;  // the fake kernel counts such a question as a stray answer
  const fuse_out_header question{sizeof(question), 0, unique | kUniqueInterrupt};
  return send(this->device(device), question, {}) == 0;
}

int ReplyPort::send(int fd, const fuse_out_header& header, std::span<const iovec> pieces) {
  std::array<iovec, kPiecesOnStack + 1> on_stack;
  std::vector<iovec> on_heap;
  iovec* all = on_stack.data();
  if (pieces.size() > kPiecesOnStack) {
    on_heap.resize(pieces.size() + 1);
    all = on_heap.data();
  }
  all[0] = {const_cast<fuse_out_header*>(&header), sizeof(header)};
  std::copy(pieces.begin(), pieces.end(), all + 1);
  const size_t count = pieces.size() + 1;
  while (true) {
    const ssize_t sent = is_socket_ ? send_to_socket(fd, all, count) : ::writev(fd, all, static_cast<int>(count));
    if (sent >= 0) return 0;
    if (errno != EINTR) return errno;
  }
}

void ReplyPort::reply(const ReplyAddress& to, int error_number, std::span<const iovec> pieces) {
  fuse_out_header header{};
  size_t size = sizeof(header);
  for (const iovec& piece : pieces) size += piece.iov_len;
  CHECK(size <= UINT32_MAX && (error_number == 0 || pieces.empty()));
  header.len = static_cast<uint32_t>(size);
  header.error = -error_number;
  header.unique = to.unique;
  count(to);

  int sent = send(device(to.device), header, pieces);
  if (sent != 0 && sent != ENOENT && !connection_is_gone(sent)) {
    log::error("answer {} of {} bytes: {}", opcode_name(to.opcode), size, std::strerror(sent));
    const fuse_out_header failure{sizeof(failure), -EIO, to.unique};
    send(device(to.device), failure, {});
    error_number = EIO;
  }
  finish(to, error_number != 0);
}

void ReplyPort::no_reply(const ReplyAddress& to) {
  count(to);
  finish(to, false);
}

void ReplyPort::count(const ReplyAddress& to) {
  statistics_[std::min(to.opcode, kOpLast + 1)].requests.fetch_add(1, std::memory_order_relaxed);
}

void ReplyPort::finish(const ReplyAddress& to, bool failed) {
  buffers_.answered(to.buffer, to.unique);
  if (answered_) answered_(to.unique);
  OpcodeStatistics& counted = statistics_[std::min(to.opcode, kOpLast + 1)];
  if (failed) counted.failures.fetch_add(1, std::memory_order_relaxed);
  counted.nanoseconds.fetch_add(static_cast<uint64_t>(reply_clock_ns() - to.started_ns), std::memory_order_relaxed);
}

const OpcodeStatistics& ReplyPort::statistics(uint32_t opcode) const {
  return statistics_[std::min(opcode, kOpLast + 1)];
}

Status ReplyPort::notify(int32_t code, std::span<const iovec> pieces) {
  fuse_out_header header{};
  header.len = sizeof(header);
  header.error = code;
  for (const iovec& piece : pieces) header.len += static_cast<uint32_t>(piece.iov_len);
  const int sent = send(device(0), header, pieces);
  if (sent == 0) return {};
  return errno_error(sent, "notify the kernel");
}

}  // namespace weir::fuse
