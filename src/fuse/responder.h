#pragma once

#include <sys/uio.h>

#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

#include "base/result.h"
#include "fuse/reply_port.h"

namespace weir::fuse {

/// Whether the caller of a request got a signal. Copyable; any thread; also after the answer.
class Interruption {
 public:
  Interruption(std::shared_ptr<ReplyPort> port, const ReplyAddress& address);
  bool raised() const;

 private:
  std::shared_ptr<ReplyPort> port_;
  ReplyAddress address_;
};

/// The right to answer one request, once. Move-only. If it is destroyed unanswered, the request is answered EIO and the
/// log says so: no caller ever hangs because of a forgotten reply. May outlive the channel. Any thread. Never blocks.
class Responder {
 public:
  Responder() = default;
  Responder(std::shared_ptr<ReplyPort> port, const ReplyAddress& address);
  Responder(Responder&& other) noexcept;
  Responder& operator=(Responder&& other) noexcept;
  ~Responder();

  void ok() { ok(std::string_view()); }
  void ok(std::string_view payload);
  /// Several pieces, one reply: a struct and a name, or a header and pages of an image's mapping.
  void ok(std::span<const iovec> pieces);
  /// OutOfReach: the request is done again by a thread that waits. The one place where a Code becomes an errno. Codes
  /// that say something is wrong with us or below us are logged.
  void fail(const Error& error);
  void fail(Code code);
  /// For the few calls whose errno no Code stands for.
  void fail_with_errno(int error_number);
  /// For requests that have no reply (FORGET).
  void none();

  uint64_t unique() const { return address_.unique; }
  bool pending() const { return port_ != nullptr; }
  /// Whoever starts to wait asks this once Handler::interrupt() can find it, and answers Interrupted if it is raised:
  /// the signal may have come before. Requires: pending().
  Interruption interruption() const { return {port_, address_}; }

 private:
  std::shared_ptr<ReplyPort> take();
  void abandon();

  std::shared_ptr<ReplyPort> port_;
  ReplyAddress address_;
};

/// errno for a Code, as the kernel is told.
int errno_of_code(Code code);

}  // namespace weir::fuse
