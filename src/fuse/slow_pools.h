#pragma once

#include <atomic>
#include <functional>
#include <string_view>

#include "base/thread_pool.h"
#include "fuse/responder.h"

namespace weir::fuse {

/// Where requests go that would keep a worker of the channel busy for long. Several pools, so that files can be read
/// and closed while others wait for an object store or a node that is out of reach. The destructor finishes what is
/// queued. Thread-safe.
class SlowPools {
 public:
  using Job = std::function<void(Responder)>;

  SlowPools();
  ~SlowPools();

  /// For what may wait for the object store. Blocks: only when the queue is full; then the caller runs the job itself.
  void wait_for_store(Responder responder, Job job) { run(waiting_, std::move(responder), std::move(job)); }
  /// For what waits for a node that holds what is not in the object store yet. Blocks as above.
  void wait_for_holder(Responder responder, Job job) { run(early_, std::move(responder), std::move(job)); }
  /// For what may wait for an upload to the object store, or for the room that it makes. Blocks as above.
  void wait_for_upload(Responder responder, Job job) { run(uploading_, std::move(responder), std::move(job)); }
  /// For what hashes, writes or syncs much. Blocks as above.
  void publish(Responder responder, Job job) { run(publishing_, std::move(responder), std::move(job)); }
  /// No job shall wait any more.
  bool ending() const { return ending_; }

 private:
  static void run(ThreadPool& pool, Responder responder, Job job);

  std::atomic<bool> ending_ = false;
  ThreadPool waiting_;
  ThreadPool early_;
  ThreadPool uploading_;
  ThreadPool publishing_;
};

}  // namespace weir::fuse
