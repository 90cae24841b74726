#pragma once

#include <functional>
#include <memory>
#include <string>
#include <thread>

#include "base/clock.h"
#include "base/mutex.h"
#include "base/random.h"
#include "base/result.h"
#include "kv/engine.h"
#include "model/ids.h"
#include "model/node_info.h"

namespace weir {

/// Makes sure that one process at a time works on a volume as a node. It is written into the node's `N` row, and, where
/// the engine can be shared between machines, kept alive by renewing the `n` row. Nobody trusts another's clock: who
/// finds the node taken watches the `n` row for limits::kLeaseMs of its own time, unless it can see that the process is
/// dead. A process whose node was taken over cannot commit any more, because its slots were (meta/slot_pool.h).
class NodeLease {
 public:
  struct Request {
    NodeId node;
    std::string mount_point;  // empty: a command on an unmounted volume
  };

  /// Blocks: up to limits::kLeaseMs when the last process on another machine did not leave properly.
  /// Busy: the node is in use; the sentence names host, process and mount point. `clock`, `random` and `engine` must
  /// outlive the lease.
  static Result<std::unique_ptr<NodeLease>> take(kv::Engine& engine, const Request& request, Clock& clock,
                                                 Random& random);
  /// Leaves the node, so that the next process need not wait. As far as the engine can be reached.
  ~NodeLease();

  /// Starts renewing. `lost` is called once, from the renewing thread, when another process has taken the node over.
  void keep(std::function<void()> lost);
  /// Notes durably that this node's cache is `directory` from now on: not before it could be opened, or one mistyped
  /// option would lose track of the cache that has content which is not stored yet. Fenced. Blocks.
  /// Requires: nobody else looks at info() yet.
  Status use_cache(const std::string& directory);
  const NodeInfo& info() const { return info_; }

 private:
  NodeLease(kv::Engine& engine, NodeId node, NodeInfo info, Clock& clock, Random& random);
  Status renew();
  Status leave();
  void run();

  kv::Engine& engine_;
  const NodeId node_;
  NodeInfo info_;
  Clock& clock_;
  Random& random_;
  std::function<void()> lost_;
  uint64_t renewals_ = 0;
  Mutex mutex_;
  ConditionVariable wake_;
  bool stopping_ GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

/// Who worked on the volume last as this node; nothing if nobody did.
Result<std::optional<NodeInfo>> last_node_info(kv::Engine& engine, NodeId node);

/// "process 12 on host gpu-7, mounted at /data".
std::string describe_holder(const NodeInfo& info);

}  // namespace weir
