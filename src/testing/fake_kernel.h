#pragma once

#include <cstdint>
#include <cstring>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <type_traits>

#include "base/file_descriptor.h"
#include "base/mutex.h"
#include "fuse/protocol.h"

namespace weir::testing {

/// The kernel's side of the FUSE protocol, on a socket, for tests without root.
///
/// Fault model: it delivers every request once, in order, to whichever worker reads first, and takes answers in any
/// order. It sends what a test tells it to, malformed messages included; it does not check that a request makes sense,
/// has no caches, takes no inode locks, so a notification never waits, and neither resends nor aborts requests. An
/// answer to nothing, a second answer and one of wrong length are counted as stray instead of being refused.
/// Thread-safe.
class FakeKernel {
 public:
  struct Answer {
    int error = 0;  // positive errno, or 0
    std::string payload;

    template <class T>
    T as() const {
      T value{};
      if (payload.size() >= sizeof(T)) std::memcpy(&value, payload.data(), sizeof(T));
      return value;
    }
  };
  struct Notification {
    int32_t code = 0;
    std::string payload;
  };
  struct Caller {
    uint32_t uid = 0;
    uint32_t gid = 0;
    uint32_t pid = 1;
  };

  FakeKernel();
  /// As unmount().
  ~FakeKernel();

  /// The daemon's end, once.
  FileDescriptor take_device() { return std::move(device_); }
  /// The longest message this machine lets the socket carry: above 1 MiB unless an administrator forbids it.
  size_t message_bytes_max() const { return message_bytes_max_; }

  /// Before the daemon's end is read, so that it finds the request waiting. Returns its unique.
  uint64_t send_init(uint32_t minor = fuse::kProtocolMinor, uint64_t flags = ~uint64_t{0});
  /// Who is named in the requests that follow.
  void set_caller(const Caller& caller);
  /// Does not wait. `extensions` are announced in the header; their size is a multiple of 8.
  uint64_t send(uint32_t opcode, uint64_t node, std::string_view body = {}, std::string_view extensions = {});
  /// A message as it is, malformed or not.
  void send_raw(std::string_view message);
  void send_interrupt(uint64_t unique);
  /// Blocks: until the answer is there. Absent after `timeout_ms`, or when the daemon hung up.
  std::optional<Answer> wait(uint64_t unique, int timeout_ms = 10'000);
  /// send() and wait(); no answer is ETIME with an empty payload.
  Answer call(uint32_t opcode, uint64_t node, std::string_view body = {}, std::string_view extensions = {});
  /// Blocks: until there is one. Absent after `timeout_ms`.
  std::optional<Notification> wait_notification(int timeout_ms = 10'000);
  uint64_t stray_answers() const;
  /// Hangs up; the daemon sees the volume unmounted.
  void unmount();

 private:
  void receive();
  void take(std::string message);

  FileDescriptor kernel_;
  FileDescriptor device_;
  size_t message_bytes_max_ = 0;
  mutable Mutex mutex_;
  ConditionVariable changed_;
  uint64_t next_unique_ = 2;
  Caller caller_;
  std::map<uint64_t, std::optional<Answer>> answers_;  // by unique, of requests that were sent and not waited for
  std::deque<Notification> notifications_;
  uint64_t stray_answers_ = 0;
  bool hung_up_ = false;
  std::thread receiver_;
};

/// A request's body, piece by piece.
class Body {
 public:
  template <class T>
  Body& add(const T& value) {
    static_assert(std::is_trivially_copyable_v<T>);
    return bytes({reinterpret_cast<const char*>(&value), sizeof(value)});
  }
  Body& name(std::string_view text) {
    bytes_.append(text);
    bytes_.push_back('\0');
    return *this;
  }
  Body& bytes(std::string_view piece) {
    bytes_.append(piece);
    return *this;
  }
  operator std::string_view() const { return bytes_; }

 private:
  std::string bytes_;
};

}  // namespace weir::testing
