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
#include "meta/volume.h"
#include "model/ids.h"
#include "model/node_info.h"

namespace weir {

/// Makes sure that one process at a time works on a volume as a node. It is written into the node's `N` row, and, where
/// the engine can be shared between machines, kept alive by renewing the `n` row. Nobody trusts another's clock: who
/// finds the node taken watches the `n` row for limits::kLeaseMs of its own time, unless it can see that the process is
/// dead. A process whose node was taken over cannot commit any more, because its slots were (meta/slot_pool.h).
/// Where other nodes found it dead (cluster/members.h), its mutations fail until it has become a member again, with a
/// higher epoch, which they do by themselves (Volume::on_fenced()). Thread-safe.
class NodeLease {
 public:
  struct Request {
    NodeId node;
    std::string mount_point{};  // empty: a command on an unmounted volume
    std::string zone{};
    bool passing = false;  // the node is gone, rows and all, when the lease ends
  };

  /// Blocks: up to limits::kLeaseMs when the last process on another machine did not leave properly.
  /// Busy: the node is in use; the sentence names host, process and mount point. `clock`, `random` and `engine` must
  /// outlive the lease.
  static Result<std::unique_ptr<NodeLease>> take(kv::Engine& engine, const Request& request, Clock& clock,
                                                 Random& random);
  /// Leaves the node, so that the next process need not wait. As far as the engine can be reached.
  ~NodeLease();

  /// Every mutation of the volume validates this lease from now on, where the engine can be shared. `rejoined` is
  /// called when the node had been fenced and is a member again, from the thread that found out: a mutation's, so it
  /// must neither block nor take locks above the engine's. Before the first mutation; `volume` must outlive the
  /// mutations.
  void guard(meta::Volume& volume, std::function<void()> rejoined);
  /// Starts renewing. `lost` is called once, from the renewing thread, when another process has taken the node over.
  void keep(std::function<void()> lost);
  /// Notes durably that this node's cache is `directory` from now on: not before it could be opened, or one mistyped
  /// option would lose track of the cache that has content which is not stored yet. Fenced. Blocks.
  Status use_cache(const std::string& directory);
  /// Tells other nodes where they reach this one. Fenced. Blocks.
  Status use_address(const std::string& address);
  NodeInfo info() const;

 private:
  NodeLease(kv::Engine& engine, Request request, NodeInfo info, kv::Version version, Clock& clock, Random& random);
  Status renew();
  Status leave();
  Status rejoin();
  Status change_info(const std::function<void(NodeInfo&)>& change);
  void set_info(const NodeInfo& info, kv::Version version, bool was_fenced);
  void run();

  kv::Engine& engine_;
  const Request request_;
  const NodeId node_;
  Clock& clock_;
  Random& random_;
  meta::Volume* volume_ = nullptr;
  std::function<void()> rejoined_;
  std::function<void()> lost_;
  Mutex writing_;  // one change of the `N` row at a time
  mutable Mutex info_mutex_;
  NodeInfo info_ GUARDED_BY(info_mutex_);
  kv::Version version_ GUARDED_BY(info_mutex_);  // of the `N` row with it
  uint64_t fencings_ GUARDED_BY(info_mutex_) = 0;
  uint64_t renewals_ = 0;  // of the renewing thread
  Mutex mutex_;
  ConditionVariable wake_;
  bool stopping_ GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

/// Who worked on the volume last as this node; nothing if nobody did.
Result<std::optional<NodeInfo>> last_node_info(kv::Engine& engine, NodeId node);

struct KnownNode {
  NodeId id;
  NodeInfo info;
};
/// Every node the volume has had, but for those that were passing.
Result<std::vector<KnownNode>> all_nodes(kv::Engine& engine);

/// "process 12 on host gpu-7, mounted at /data".
std::string describe_holder(const NodeInfo& info);

}  // namespace weir
