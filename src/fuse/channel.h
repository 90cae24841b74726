#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <thread>
#include <vector>

#include "base/file_descriptor.h"
#include "base/mutex.h"
#include "base/result.h"
#include "base/shared_memory.h"
#include "base/thread_pool.h"
#include "fuse/backing_files.h"
#include "fuse/handler.h"
#include "fuse/init.h"
#include "fuse/notifier.h"
#include "fuse/worker.h"

namespace weir::fuse {

class Channel;

struct ChannelOptions {
  InitOptions init;
  /// Called with the unique of each request after it was answered, by the answering thread, also after the channel's
  /// end. What it uses outlives every Responder.
  std::function<void(uint64_t)> answered;
  /// Called before the first request is served, with a channel that can send notifications and lend files.
  std::function<void(Channel&)> prepare;
  int64_t spin_us = limits::kFuseSpinMicroseconds;
  /// Workers that may spin at once; 0: a quarter of the cores, at least one.
  int spinners_max = 0;
};

/// A conversation with the kernel about one mounted volume: answers INIT, reads requests with one thread a device,
/// gives them to the handler, and sends notifications. Runs on a socket as well (src/testing/fake_kernel.h). Over the
/// memory and devices of a predecessor it goes on with that conversation: what was agreed holds, and what the
/// predecessor left unanswered is done again.
class Channel {
 public:
  /// Blocks: until INIT is answered, which the kernel sends when it mounts; or until the requests of a predecessor have
  /// been handed to the handler. Then requests are being served. Unsupported when the kernel is too old. Requires:
  /// `devices` of open_devices(), or those of the predecessor in the same order; fewer of them than `memory` has
  /// request buffers; `handler` outlives this object.
  static Result<std::unique_ptr<Channel>> start(std::vector<FileDescriptor> devices,
                                                std::shared_ptr<SharedMemory> memory, Handler& handler,
                                                const ChannelOptions& options = {});
  /// As stop(). Responders that are still unanswered stay valid.
  ~Channel();

  const Negotiated& negotiated() const { return negotiated_; }
  Notifier& notifier() { return *notifier_; }
  /// Null when the kernel did not agree to passthrough.
  vfs::BackingFiles* backing_files() { return backing_files_.get(); }
  /// Requests read and not answered yet.
  uint32_t unanswered() const { return port_->buffers().unanswered(); }
  const OpcodeStatistics& statistics(uint32_t opcode) const { return port_->statistics(opcode); }

  /// Blocks: until the volume is unmounted or stop() was called, and no worker handles a request.
  void wait();
  /// Blocks: until no worker reads or handles a request. The volume stays mounted: what the kernel asks from now on
  /// waits for a successor, or forever.
  void stop();

 private:
  Channel(std::shared_ptr<ReplyPort> port, Handler& handler, FileDescriptor stop_event, const ChannelOptions& options);
  Status shake_hands(const ChannelOptions& options);
  Status ask_kernel(const ChannelOptions& options);
  void redo_inherited();
  bool postpone(const ReplyAddress& address);
  /// Does a request that was postponed, and waits until its caller is killed.
  void redo(const ReplyAddress& address, std::string_view request);
  Status start_workers();
  void run_worker(Worker& worker, int index);

  const std::shared_ptr<ReplyPort> port_;
  const FileDescriptor stop_event_;
  WorkerContext context_;
  Negotiated negotiated_;
  std::vector<RequestBuffers::Inherited> inherited_;
  std::unique_ptr<Notifier> notifier_;
  std::unique_ptr<vfs::BackingFiles> backing_files_;
  std::atomic<bool> stopping_ = false;
  std::unique_ptr<ThreadPool> postponed_;
  std::vector<std::unique_ptr<Worker>> workers_;
  std::vector<std::thread> threads_;
  Mutex mutex_;
  ConditionVariable ended_;
  size_t running_ GUARDED_BY(mutex_) = 0;
};

}  // namespace weir::fuse
