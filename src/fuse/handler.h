#pragma once

#include <cstdint>
#include <string_view>

#include "fuse/responder.h"

struct fuse_in_header;

namespace weir::fuse {

struct Negotiated;

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
  /// Once, before any request.
  virtual void start(const Negotiated& negotiated) = 0;
  /// Answers through `responder`, now or later and from any thread. Must not block for long: who waits for network,
  /// locks or peers keeps the responder and returns. INIT, INTERRUPT and DESTROY never come here.
  virtual void handle(const Request& request, Responder responder) = 0;
  /// The caller of the unanswered request `unique` got a signal. If the request is waiting, answer it Interrupted;
  /// otherwise do nothing: who begins to wait later sees Responder::interruption().
  virtual void interrupt(uint64_t unique) = 0;
};

}  // namespace weir::fuse
