#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "base/file_descriptor.h"
#include "base/result.h"
#include "fuse/handler.h"
#include "fuse/reply_port.h"
#include "fuse/spin_gate.h"

namespace weir::fuse {

/// What the workers of one channel share.
struct WorkerContext {
  std::shared_ptr<ReplyPort> port;
  Handler& handler;
  int stop_event;  // an eventfd: readable once the workers shall end
  SpinGate spin_gate;
};

/// Reads requests from one descriptor into shared memory and hands them to the handler. One thread runs it.
class Worker {
 public:
  /// Requires: `context` outlives this.
  static Result<std::unique_ptr<Worker>> create(WorkerContext& context, int index);
  ~Worker();

  /// Blocks: until the volume is unmounted or the stop event is set. Whatever it read it has handled by then.
  void run();
  /// Hands a request that was read into `buffer` to the handler. Requires: `buffers.begin()` was called for it, or it
  /// was inherited. Any thread.
  static void serve(WorkerContext& context, std::span<const char> request, uint32_t buffer, int device);
  /// The same, and what needs a server that is out of reach is not waited for but postponed.
  static void serve_soon(WorkerContext& context, std::span<const char> request, uint32_t buffer, int device);

 private:
  enum class Outcome { kServed, kNothing, kEnd };

  Worker(WorkerContext& context, int index, FileDescriptor epoll);
  Outcome serve_one();
  Outcome after_failed_read(int error_number);
  void serve(size_t size);
  /// True when a request was served meanwhile.
  bool spin();
  /// Blocks: until there is something to read. False when stopping.
  bool sleep();

  WorkerContext& context_;
  const int index_;
  const int device_;
  const FileDescriptor epoll_;
  uint32_t buffer_;
  SpinRecord spin_record_;
};

}  // namespace weir::fuse
