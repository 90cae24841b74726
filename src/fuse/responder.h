#pragma once

#include <sys/uio.h>

#include <cstdint>
#include <span>
#include <string_view>

#include "base/result.h"

namespace weir::fuse {

class Channel;

/// The right to answer one request, once. Move-only. If it is destroyed unanswered, the request is answered EIO and the
/// log says so: no caller ever hangs because of a forgotten reply. Any thread. Never blocks.
class Responder {
 public:
  Responder() = default;
  Responder(Channel* channel, int fd, uint64_t unique, uint32_t opcode, int worker);
  Responder(Responder&& other) noexcept;
  Responder& operator=(Responder&& other) noexcept;
  ~Responder();

  void ok() { ok(std::string_view()); }
  void ok(std::string_view payload);
  /// Several pieces, one reply: a struct and a name, or a header and pages of an image's mapping.
  void ok(std::span<const iovec> pieces);
  /// The one place where a Code becomes an errno. Codes that say something is wrong with us or below us are logged.
  void fail(const Error& error);
  void fail(Code code);
  /// For requests that have no reply (FORGET).
  void none();

  uint64_t unique() const { return unique_; }
  bool pending() const { return channel_ != nullptr; }

 private:
  Channel* channel_ = nullptr;
  int fd_ = -1;
  uint64_t unique_ = 0;
  uint32_t opcode_ = 0;
  int worker_ = -1;
};

/// errno for a Code, as the kernel is told.
int errno_of_code(Code code);

}  // namespace weir::fuse
