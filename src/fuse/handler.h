#pragma once

#include <cstdint>
#include <memory>
#include <string_view>

#include "fuse/responder.h"

struct fuse_in_header;

namespace weir::fuse {

/// One request of the kernel as it lies in its worker's buffer. The body is only valid until handle() returns: who
/// answers later copies what it needs.
struct Request {
  const fuse_in_header& header;
  std::string_view body;  // what follows the header; `header.len` was checked against what was read
  int worker;             // index of the worker thread, 0-based; stable for the thread's life
};

/// What answers the kernel. Called by all workers at once.
class Handler {
 public:
  virtual ~Handler() = default;
  /// Answers through `responder`, now or later and from any thread. Must not block for long: who waits for network, locks
  /// or peers keeps the responder and returns.
  virtual void handle(const Request& request, Responder responder) = 0;
  /// The caller of request `unique` got a signal. If the request is still unanswered and waiting, answer it Interrupted;
  /// otherwise do nothing. May come before the request itself.
  virtual void interrupt(uint64_t unique) = 0;
};

}  // namespace weir::fuse
