#include "daemon/volume/node_lease.h"

#include <optional>

#include "base/limits.h"
#include "base/log.h"
#include "daemon/volume/process_identity.h"
#include "meta/keys.h"
#include "meta/run_transaction.h"

namespace weir {

namespace {

/// What stood in the rows when this process looked.
struct Seen {
  std::optional<NodeInfo> info;
  kv::Version info_version = 0;
  kv::Version lease_version = 0;
};

Result<Seen> look(kv::Engine& engine, NodeId node) {
  auto transaction = engine.begin();
  ASSIGN_OR_RETURN(auto rows, transaction->get_many({meta::keys::node(node), meta::keys::lease(node)}));
  Seen seen;
  if (rows[0]) {
    ASSIGN_OR_RETURN(seen.info, NodeInfo::decode(rows[0]->bytes));
    seen.info_version = rows[0]->version;
  }
  if (rows[1]) seen.lease_version = rows[1]->version;
  return seen;
}

Status busy(const NodeInfo& holder) {
  return error(Code::kBusy, "the volume is in use by {}; unmount it there first", describe_holder(holder));
}

/// Waits until the lease has run out, or is renewed: then Busy.
Status outwait(kv::Engine& engine, NodeId node, const Seen& first, Clock& clock) {
  log::info("the volume was last used by {}, which did not leave it; waiting {} s for a sign of life",
            describe_holder(*first.info), limits::kLeaseMs / 1000);
  const int64_t deadline_ns = clock.monotonic_ns() + limits::kLeaseMs * 1'000'000;
  while (clock.monotonic_ns() < deadline_ns) {
    clock.sleep_ms(limits::kLeaseRenewMs / 10);
    ASSIGN_OR_RETURN(Seen now, look(engine, node));
    if (now.info_version != first.info_version) {
      if (now.info && !now.info->active) return {};
      return busy(now.info ? *now.info : *first.info);
    }
    if (now.lease_version != first.lease_version) return busy(*first.info);
  }
  return {};
}

Status write_taken(kv::Engine& engine, NodeId node, const Seen& seen, const NodeInfo& mine) {
  auto transaction = engine.begin();
  transaction->expect(meta::keys::node(node), seen.info_version);
  transaction->put(meta::keys::node(node), mine.encode());
  transaction->put(meta::keys::lease(node), LeaseRow{mine.epoch, 0}.encode());
  TRY(transaction->commit());
  return {};
}

/// True when the row says that it is `mine`.
Result<bool> is_taken(kv::Engine& engine, NodeId node, const NodeInfo& mine) {
  ASSIGN_OR_RETURN(Seen seen, look(engine, node));
  return seen.info == mine;
}

}  // namespace

std::string describe_holder(const NodeInfo& info) {
  std::string text =
      fmt::format("process {} on {}", info.process.pid, info.host.empty() ? "an unnamed host" : info.host);
  if (!info.mount_point.empty()) text += fmt::format(", mounted at {}", info.mount_point);
  return text;
}

Result<std::optional<NodeInfo>> last_node_info(kv::Engine& engine, NodeId node) {
  ASSIGN_OR_RETURN(Seen seen, look(engine, node));
  return seen.info;
}

Result<std::unique_ptr<NodeLease>> NodeLease::take(kv::Engine& engine, const Request& request, Clock& clock,
                                                   Random& random) {
  for (int attempt = 0; attempt < limits::kTransactionAttempts; ++attempt) {
    ASSIGN_OR_RETURN(Seen seen, look(engine, request.node));
    if (seen.info && seen.info->active && engine.capabilities().shared && !is_surely_dead(seen.info->process)) {
      TRY(outwait(engine, request.node, seen, clock));
      ASSIGN_OR_RETURN(seen, look(engine, request.node));
    }
    NodeInfo mine;
    mine.epoch = seen.info ? seen.info->epoch + 1 : 1;
    mine.active = true;
    mine.host = this_host();
    mine.mount_point = request.mount_point;
    if (seen.info) mine.cache_directory = seen.info->cache_directory;
    mine.process = this_process();

    Status taken = write_taken(engine, request.node, seen, mine);
    if (!taken && taken.error().code == Code::kMaybeCommitted) {
      ASSIGN_OR_RETURN(bool done, is_taken(engine, request.node, mine));
      if (done)
        taken = {};
      else
        continue;
    }
    if (!taken && taken.error().code == Code::kConflict) continue;
    TRY(taken);
    return std::unique_ptr<NodeLease>(new NodeLease(engine, request.node, std::move(mine), clock, random));
  }
  return error(Code::kBusy, "several processes want the volume at once; try again");
}

NodeLease::NodeLease(kv::Engine& engine, NodeId node, NodeInfo info, Clock& clock, Random& random)
    : engine_(engine), node_(node), info_(std::move(info)), clock_(clock), random_(random) {}

NodeLease::~NodeLease() {
  if (thread_.joinable()) {
    {
      MutexLock lock(mutex_);
      stopping_ = true;
      wake_.notify_all();
    }
    thread_.join();
  }
  if (Status left = leave(); !left && left.error().code != Code::kFenced)
    log::warning("the next mount waits {} s, because this node could not sign off: {}", limits::kLeaseMs / 1000,
                 left.error().what);
}

void NodeLease::keep(std::function<void()> lost) {
  if (!engine_.capabilities().shared) return;  // the engine itself lets one process in at a time
  lost_ = std::move(lost);
  thread_ = std::thread([this] { run(); });
}

/// A change of this node's rows that needs the `N` row to be ours; Fenced when it is not.
static Status change_if_ours(kv::Engine& engine, NodeId node, const NodeInfo& mine, Clock& clock, Random& random,
                             const std::function<void(kv::Transaction&)>& change) {
  TRY(meta::run_repeatable(engine, clock, random, [&](kv::Transaction& transaction) -> Status {
    ASSIGN_OR_RETURN(auto row, transaction.get(meta::keys::node(node)));
    if (!row) return error(Code::kFenced, "this node's row is gone");
    ASSIGN_OR_RETURN(NodeInfo now, NodeInfo::decode(row->bytes));
    if (now.epoch != mine.epoch || now.process != mine.process)
      return error(Code::kFenced, "this node was taken over by {}", describe_holder(now));
    change(transaction);
    return {};
  }));
  return {};
}

Status NodeLease::renew() {
  return change_if_ours(engine_, node_, info_, clock_, random_, [&](kv::Transaction& transaction) {
    transaction.put(meta::keys::lease(node_), LeaseRow{info_.epoch, ++renewals_}.encode());
  });
}

Status NodeLease::use_cache(const std::string& directory) {
  if (info_.cache_directory == directory) return {};
  NodeInfo changed = info_;
  changed.cache_directory = directory;
  TRY(change_if_ours(engine_, node_, info_, clock_, random_, [&](kv::Transaction& transaction) {
    transaction.put(meta::keys::node(node_), changed.encode());
  }));
  info_.cache_directory = directory;
  return engine_.barrier();
}

Status NodeLease::leave() {
  NodeInfo left = info_;
  left.active = false;
  return change_if_ours(engine_, node_, info_, clock_, random_,
                        [&](kv::Transaction& transaction) { transaction.put(meta::keys::node(node_), left.encode()); });
}

void NodeLease::run() {
  ::pthread_setname_np(::pthread_self(), "lease");
  bool failing = false;
  for (;;) {
    {
      MutexLock lock(mutex_);
      if (!stopping_) wake_.wait_for_ms(mutex_, limits::kLeaseRenewMs);
      if (stopping_) return;
    }
    Status renewed = renew();
    if (!renewed && renewed.error().code == Code::kFenced) {
      log::error("{}", renewed.error().what);
      lost_();
      return;
    }
    if (!renewed && !failing) log::warning("the lease could not be renewed: {}", renewed.error().what);
    if (renewed && failing) log::info("the lease is renewed again");
    failing = !renewed;
  }
}

}  // namespace weir
