#pragma once

#include <functional>
#include <map>
#include <optional>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "base/mutex.h"
#include "base/result.h"
#include "kv/engine.h"
#include "model/ids.h"
#include "model/node_info.h"

namespace weir::cluster {

struct Member {
  NodeId id;
  NodeInfo info;
  bool alive = false;
};

/// Who works on the volume, as this node sees it, and who does no more. Nobody trusts another's clock: a node is dead
/// when its `n` row stayed unchanged for limits::kLeaseMs of this node's own time, in which this node looked all the
/// while. It is fenced then: its epoch is raised, so that it can commit nothing before it has found out. Thread-safe.
class Members {
 public:
  /// Called from the looking thread, once a node and epoch, also for nodes that others fenced, and for those that were
  /// dead before this node came. What a dead node must let go of is taken away here; may block.
  using Death = std::function<void(const Member&)>;

  Members(kv::Engine& engine, NodeId self, Clock& clock);
  ~Members();
  /// Before start().
  void on_death(Death death) { deaths_.push_back(std::move(death)); }
  /// Looks once, then every limits::kMembersLookMs.
  void start();

  /// As of the last look. This node is among them.
  std::vector<Member> all() const;
  std::optional<Member> find(NodeId node) const;
  /// Nobody serves as that node, and nobody will without having read the engine first. False for unknown ones.
  bool is_gone(NodeId node) const;
  /// One look; fences who is dead. Blocks. The thread does it; tests may.
  Status look();

 private:
  struct Sign {
    kv::Version lease_version = 0;
    int64_t since_ns = 0;  // unchanged
  };
  struct Row {
    NodeInfo info;
    kv::Version version = 0;
  };
  using Rows = std::map<NodeId, Row>;

  Result<Rows> read_infos();
  Result<std::map<NodeId, kv::Version>> read_leases();
  /// Nodes without a sign of life for the whole lease.
  std::vector<NodeId> silent(const Rows& infos, const std::map<NodeId, kv::Version>& leases);
  /// Nothing happens when it shows life meanwhile, or somebody else is faster.
  Status fence(NodeId node, Row& row, kv::Version lease_version);
  void tell_deaths(const Rows& infos);
  void run();

  kv::Engine& engine_;
  const NodeId self_;
  Clock& clock_;
  std::vector<Death> deaths_;
  // Of the looking thread.
  std::map<NodeId, Sign> signs_;
  std::map<NodeId, uint64_t> told_;  // epoch of the death that was told
  int64_t looked_ns_ = 0;

  mutable Mutex mutex_;
  ConditionVariable wake_;
  bool stopping_ GUARDED_BY(mutex_) = false;
  std::map<NodeId, Member> members_ GUARDED_BY(mutex_);
  std::thread thread_;
};

}  // namespace weir::cluster
