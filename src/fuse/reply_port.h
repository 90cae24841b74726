#pragma once

#include <sys/uio.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "base/file_descriptor.h"
#include "base/result.h"
#include "fuse/protocol.h"
#include "fuse/request_buffers.h"

namespace weir::fuse {

/// Which request an answer belongs to.
struct ReplyAddress {
  uint64_t unique = 0;
  uint32_t opcode = 0;
  uint32_t device = 0;  // index of the descriptor that read the request; the kernel wants the answer there
  uint32_t buffer = 0;
  int64_t started_ns = 0;
};

struct OpcodeStatistics {
  std::atomic<uint64_t> requests = 0;  // counted before the answer is given, so that its caller finds it counted
  std::atomic<uint64_t> failures = 0;
  std::atomic<uint64_t> nanoseconds = 0;  // from read to answer, summed
};

/// Writes to the kernel, and owns the descriptors. Lives until the last answer was given, even when the channel that
/// read the request is gone. Thread-safe; does not block on /dev/fuse.
class ReplyPort {
 public:
  /// Requires: at least one device, all of one connection.
  /// `answered` is called with the unique of each request after it was answered and marked, by the answering thread;
  /// what it uses outlives this object.
  ReplyPort(std::vector<FileDescriptor> devices, std::shared_ptr<SharedMemory> memory,
            std::function<void(uint64_t)> answered = {});

  /// Answers with `error_number` 0 and the pieces, or with a positive errno and none. A caller who has gone away, or an
  /// unmounted volume, is no error; all else is logged, and the caller then gets EIO.
  void reply(const ReplyAddress& to, int error_number, std::span<const iovec> pieces);
  /// Whether the kernel still waits for the answer to a request that a predecessor read. Changes nothing: it is asked
  /// with an answer to an interrupt that was never sent, which the kernel looks up and ignores.
  bool is_awaited(uint64_t unique, size_t device);
  /// Who has a request done again, later, that could not be answered without waiting; false: nobody. Set while nothing
  /// is being answered. Empty: nobody.
  void set_postpone(std::function<bool(const ReplyAddress&)> postpone) { postpone_ = std::move(postpone); }
  /// The request will be done again; it stays unanswered until then. False: answer it.
  bool postpone(const ReplyAddress& to) { return postpone_ && postpone_(to); }
  /// For a request to which the kernel expects no answer.
  void no_reply(const ReplyAddress& to);
  /// A message nobody asked for. Blocks: while the kernel waits for locks that a request in flight may hold.
  Status notify(int32_t code, std::span<const iovec> pieces);

  size_t device_count() const { return devices_.size(); }
  int device(size_t index) const { return devices_[index].get(); }
  RequestBuffers& buffers() { return buffers_; }
  const OpcodeStatistics& statistics(uint32_t opcode) const;

 private:
  /// 0 or the errno of the write.
  int send(int fd, const fuse_out_header& header, std::span<const iovec> pieces);
  void count(const ReplyAddress& to);
  void finish(const ReplyAddress& to, bool failed);

  const std::vector<FileDescriptor> devices_;
  const bool is_socket_;
  const std::function<void(uint64_t)> answered_;
  std::function<bool(const ReplyAddress&)> postpone_;
  RequestBuffers buffers_;
  std::array<OpcodeStatistics, kOpLast + 2> statistics_;  // the last one is for opcodes we do not know
};

/// CLOCK_MONOTONIC, which the statistics are in.
int64_t reply_clock_ns();

}  // namespace weir::fuse
