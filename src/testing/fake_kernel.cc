#include "testing/fake_kernel.h"

#include <sys/socket.h>
#include <sys/uio.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <vector>

#include "base/check.h"
#include "base/limits.h"

namespace weir::testing {

namespace {

constexpr size_t kMessageBytes = limits::kFuseRequestBytes + 4096;

size_t widen(int fd) {
  const int wanted = 8 * static_cast<int>(kMessageBytes);
  if (::setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &wanted, sizeof(wanted)) != 0) {
    ::setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &wanted, sizeof(wanted));
  }
  int got = 0;
  socklen_t size = sizeof(got);
  CHECK(::getsockopt(fd, SOL_SOCKET, SO_SNDBUF, &got, &size) == 0);
  return static_cast<size_t>(got) / 2;
}

}  // namespace

FakeKernel::FakeKernel() {
  int ends[2];
  CHECK(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) == 0);
  kernel_.reset(ends[0]);
  device_.reset(ends[1]);
  message_bytes_max_ = std::min(widen(ends[0]), widen(ends[1]));
  receiver_ = std::thread([this] { receive(); });
}

FakeKernel::~FakeKernel() { unmount(); }

void FakeKernel::unmount() {
  ::shutdown(kernel_.get(), SHUT_RDWR);
  if (receiver_.joinable()) receiver_.join();
}

uint64_t FakeKernel::send_init(uint32_t minor, uint64_t flags) {
  fuse_init_in in{};
  in.major = fuse::kProtocolMajor;
  in.minor = minor;
  in.max_readahead = 128 * 1024;
  in.flags = static_cast<uint32_t>(flags);
  in.flags2 = static_cast<uint32_t>(flags >> 32);
  return send(FUSE_INIT, 0, Body().add(in));
}

void FakeKernel::set_caller(const Caller& caller) {
  MutexLock lock(mutex_);
  caller_ = caller;
}

uint64_t FakeKernel::send(uint32_t opcode, uint64_t node, std::string_view body, std::string_view extensions) {
  fuse_in_header header{};
  header.len = static_cast<uint32_t>(sizeof(header) + body.size() + extensions.size());
  header.opcode = opcode;
  header.nodeid = node;
  header.total_extlen = static_cast<uint16_t>(extensions.size() / 8);
  {
    MutexLock lock(mutex_);
    header.unique = next_unique_;
    next_unique_ += 2;
    header.uid = caller_.uid;
    header.gid = caller_.gid;
    header.pid = caller_.pid;
    if (opcode != FUSE_FORGET && opcode != FUSE_BATCH_FORGET) answers_[header.unique] = std::nullopt;
  }
  Body message;
  message.add(header).bytes(body).bytes(extensions);
  send_raw(message);
  return header.unique;
}

void FakeKernel::send_raw(std::string_view message) {
  const ssize_t sent = ::send(kernel_.get(), message.data(), message.size(), MSG_NOSIGNAL);
  CHECK(sent == static_cast<ssize_t>(message.size()) || errno == EPIPE || errno == ECONNRESET);
}

void FakeKernel::send_interrupt(uint64_t unique) {
  fuse_interrupt_in in{unique};
  fuse_in_header header{};
  header.len = sizeof(header) + sizeof(in);
  header.opcode = FUSE_INTERRUPT;
  header.unique = unique | fuse::kUniqueInterrupt;
  send_raw(Body().add(header).add(in));
}

std::optional<FakeKernel::Answer> FakeKernel::wait(uint64_t unique, int timeout_ms) {
  MutexLock lock(mutex_);
  auto found = answers_.find(unique);
  CHECK(found != answers_.end());
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::milliseconds(timeout_ms);
  while (!found->second && !hung_up_ && std::chrono::steady_clock::now() < deadline)
    changed_.wait_for_ms(mutex_, timeout_ms);
  if (!found->second) return std::nullopt;
  Answer answer = std::move(*found->second);
  answers_.erase(found);
  return answer;
}

FakeKernel::Answer FakeKernel::call(uint32_t opcode, uint64_t node, std::string_view body,
                                    std::string_view extensions) {
  return wait(send(opcode, node, body, extensions)).value_or(Answer{ETIME, {}});
}

std::optional<FakeKernel::Notification> FakeKernel::wait_notification(int timeout_ms) {
  MutexLock lock(mutex_);
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::milliseconds(timeout_ms);
  while (notifications_.empty() && !hung_up_ && std::chrono::steady_clock::now() < deadline)
    changed_.wait_for_ms(mutex_, timeout_ms);
  if (notifications_.empty()) return std::nullopt;
  Notification first = std::move(notifications_.front());
  notifications_.pop_front();
  return first;
}

uint64_t FakeKernel::stray_answers() const {
  MutexLock lock(mutex_);
  return stray_answers_;
}

void FakeKernel::receive() {
  std::vector<char> buffer(kMessageBytes);
  while (true) {
    const ssize_t size = ::recv(kernel_.get(), buffer.data(), buffer.size(), 0);
    if (size < 0 && errno == EINTR) continue;
    if (size <= 0) break;
    take(std::string(buffer.data(), static_cast<size_t>(size)));
  }
  MutexLock lock(mutex_);
  hung_up_ = true;
  changed_.notify_all();
}

void FakeKernel::take(std::string message) {
  fuse_out_header header{};
  MutexLock lock(mutex_);
  if (message.size() >= sizeof(header)) std::memcpy(&header, message.data(), sizeof(header));
  if (header.len != message.size()) {
    ++stray_answers_;
    return;
  }
  message.erase(0, sizeof(header));
  if (header.unique == 0) {
    notifications_.push_back({header.error, std::move(message)});
  } else if (auto found = answers_.find(header.unique); found != answers_.end() && !found->second) {
    found->second = Answer{-header.error, std::move(message)};
  } else {
    ++stray_answers_;
  }
  changed_.notify_all();
}

}  // namespace weir::testing
