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

/// The row's version when the node is ours now; nothing when somebody was faster.
Result<std::optional<kv::Version>> write_taken(kv::Engine& engine, NodeId node, const Seen& seen,
                                               const NodeInfo& mine) {
  auto transaction = engine.begin();
  transaction->expect(meta::keys::node(node), seen.info_version);
  transaction->put(meta::keys::node(node), mine.encode());
  transaction->put(meta::keys::lease(node), LeaseRow{mine.epoch, 0}.encode());
  auto taken = transaction->commit();
  if (taken) return *taken;
  if (taken.error().code == Code::kConflict) return std::nullopt;
  if (taken.error().code != Code::kMaybeCommitted) return Failure(taken.error());
  ASSIGN_OR_RETURN(Seen now, look(engine, node));
  if (now.info == mine) return now.info_version;
  return std::nullopt;
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

Result<std::vector<KnownNode>> all_nodes(kv::Engine& engine) {
  std::vector<KnownNode> nodes;
  auto transaction = engine.begin();
  for (kv::KeyRange range = meta::keys::all_of(meta::keys::kNode);;) {
    ASSIGN_OR_RETURN(auto rows, transaction->scan(range, limits::kScanRows));
    for (const kv::KeyValue& row : rows) {
      ASSIGN_OR_RETURN(const NodeId id, meta::keys::parse_node(row.key));
      ASSIGN_OR_RETURN(NodeInfo info, NodeInfo::decode(row.bytes));
      nodes.push_back({id, std::move(info)});
    }
    if (rows.size() < limits::kScanRows) return nodes;
    range = meta::keys::behind(range, rows.back().key);
  }
}

Result<std::unique_ptr<NodeLease>> NodeLease::take(kv::Engine& engine, const Request& request, Clock& clock,
                                                   Random& random) {
  for (int attempt = 0; attempt < limits::kTransactionAttempts; ++attempt) {
    ASSIGN_OR_RETURN(Seen seen, look(engine, request.node));
    if (seen.info && seen.info->active && engine.capabilities().shared && !is_surely_dead(seen.info->process)) {
      if (is_surely_alive(seen.info->process) && seen.info->process != this_process())
        return Failure(busy(*seen.info).error());
      TRY(outwait(engine, request.node, seen, clock));
      ASSIGN_OR_RETURN(seen, look(engine, request.node));
    }
    NodeInfo mine;
    mine.epoch = seen.info ? seen.info->epoch + 1 : 1;
    mine.active = true;
    mine.host = this_host();
    mine.mount_point = request.mount_point;
    mine.zone = request.zone;
    if (seen.info) mine.cache_directory = seen.info->cache_directory;
    mine.process = this_process();

    ASSIGN_OR_RETURN(auto taken, write_taken(engine, request.node, seen, mine));
    if (taken) return std::unique_ptr<NodeLease>(new NodeLease(engine, request, mine, *taken, clock, random));
  }
  return error(Code::kBusy, "several processes want the volume at once; try again");
}

NodeLease::NodeLease(kv::Engine& engine, Request request, NodeInfo info, kv::Version version, Clock& clock,
                     Random& random)
    : engine_(engine),
      request_(std::move(request)),
      node_(request_.node),
      clock_(clock),
      random_(random),
      info_(std::move(info)),
      version_(version) {}

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

NodeInfo NodeLease::info() const {
  MutexLock lock(info_mutex_);
  return info_;
}

void NodeLease::set_info(const NodeInfo& info, kv::Version version, bool was_fenced) {
  MutexLock lock(info_mutex_);
  info_ = info;
  version_ = version;
  if (was_fenced) ++fencings_;
  if (volume_ != nullptr) volume_->join({info_.epoch, version_, fencings_});
}

void NodeLease::guard(meta::Volume& volume, std::function<void()> rejoined) {
  if (!engine_.capabilities().shared) return;
  volume_ = &volume;
  rejoined_ = std::move(rejoined);
  MutexLock lock(info_mutex_);
  volume.join({info_.epoch, version_, fencings_});
  volume.on_fenced([this] { return rejoin(); });
}

/// A change of this node's rows that needs the `N` row to be ours; Fenced when it is not.
static Result<kv::Version> change_if_ours(kv::Engine& engine, NodeId node, const NodeInfo& mine, Clock& clock,
                                          Random& random, const std::function<void(kv::Transaction&)>& change) {
  return meta::run_repeatable(engine, clock, random, [&](kv::Transaction& transaction) -> Status {
    ASSIGN_OR_RETURN(auto row, transaction.get(meta::keys::node(node)));
    if (!row) return error(Code::kFenced, "this node's row is gone");
    ASSIGN_OR_RETURN(NodeInfo now, NodeInfo::decode(row->bytes));
    if (now.epoch != mine.epoch || now.process != mine.process)
      return error(Code::kFenced, "this node was taken over by {}", describe_holder(now));
    change(transaction);
    return {};
  });
}

Status NodeLease::renew() {
  const NodeInfo mine = info();
  TRY(change_if_ours(engine_, node_, mine, clock_, random_, [&](kv::Transaction& transaction) {
    transaction.put(meta::keys::lease(node_), LeaseRow{mine.epoch, ++renewals_}.encode());
  }));
  return {};
}

Status NodeLease::change_info(const std::function<void(NodeInfo&)>& change) {
  MutexLock lock(writing_);
  const NodeInfo mine = info();
  NodeInfo changed = mine;
  change(changed);
  if (changed == mine) return {};
  ASSIGN_OR_RETURN(kv::Version version,
                   change_if_ours(engine_, node_, mine, clock_, random_, [&](kv::Transaction& transaction) {
                     transaction.put(meta::keys::node(node_), changed.encode());
                   }));
  set_info(changed, version, false);
  return engine_.barrier();
}

Status NodeLease::use_cache(const std::string& directory) {
  return change_info([&](NodeInfo& info) { info.cache_directory = directory; });
}

Status NodeLease::use_address(const std::string& address) {
  return change_info([&](NodeInfo& info) { info.address = address; });
}

Status NodeLease::rejoin() {
  MutexLock lock(writing_);
  for (int attempt = 0; attempt < limits::kTransactionAttempts; ++attempt) {
    NodeInfo mine = info();
    ASSIGN_OR_RETURN(Seen seen, look(engine_, node_));
    if (!seen.info) return error(Code::kFenced, "this node's row is gone");
    if (seen.info->process != mine.process)
      return error(Code::kFenced, "this node was taken over by {}", describe_holder(*seen.info));
    if (seen.info->epoch == mine.epoch) {
      set_info(*seen.info, seen.info_version, false);
      return {};
    }
    mine.epoch = seen.info->epoch + 1;
    ASSIGN_OR_RETURN(auto taken, write_taken(engine_, node_, seen, mine));
    if (!taken) continue;
    log::warning("other nodes found node {} dead, since it did not renew its lease for {} s; it is back with epoch {}",
                 node_.value, limits::kLeaseMs / 1000, mine.epoch);
    // First, so that whoever commits with the new epoch finds what it means.
    if (rejoined_) rejoined_();
    set_info(mine, *taken, true);
    return {};
  }
  return error(Code::kFenced, "this node was fenced, and several others change its row");
}

Status NodeLease::leave() {
  const NodeInfo mine = info();
  NodeInfo left = mine;
  left.active = false;
  left.address.clear();
  const auto sign_off = [&](kv::Transaction& transaction) { transaction.put(meta::keys::node(node_), left.encode()); };
  const auto vanish = [&](kv::Transaction& transaction) {
    transaction.erase(meta::keys::node(node_));
    transaction.erase(meta::keys::lease(node_));
    for (uint32_t slot = 0; slot < limits::kSlots; ++slot) transaction.erase(meta::keys::slot(node_, slot));
  };
  if (request_.passing)
    TRY(change_if_ours(engine_, node_, mine, clock_, random_, vanish));
  else
    TRY(change_if_ours(engine_, node_, mine, clock_, random_, sign_off));
  return {};
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
    if (!renewed && renewed.error().code == Code::kFenced) renewed = rejoin();
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
