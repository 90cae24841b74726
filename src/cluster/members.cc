#include "cluster/members.h"

#include <pthread.h>

#include "base/limits.h"
#include "base/log.h"
#include "meta/keys.h"

namespace weir::cluster {

namespace {

/// Calls `visit` with every row of the tag.
Status visit_rows(kv::Engine& engine, meta::keys::Tag tag,
                  const std::function<Status(NodeId, const kv::KeyValue&)>& visit) {
  auto transaction = engine.begin();
  for (kv::KeyRange range = meta::keys::all_of(tag);;) {
    ASSIGN_OR_RETURN(auto rows, transaction->scan(range, limits::kScanRows));
    for (const kv::KeyValue& row : rows) {
      ASSIGN_OR_RETURN(const NodeId id, meta::keys::parse_node(row.key));
      TRY(visit(id, row));
    }
    if (rows.size() < limits::kScanRows) return {};
    range = meta::keys::behind(range, rows.back().key);
  }
}

}  // namespace

Members::Members(kv::Engine& engine, NodeId self, Clock& clock) : engine_(engine), self_(self), clock_(clock) {}

Members::~Members() {
  if (!thread_.joinable()) return;
  {
    MutexLock lock(mutex_);
    stopping_ = true;
    wake_.notify_all();
  }
  thread_.join();
}

void Members::start() {
  thread_ = std::thread([this] { run(); });
}

std::vector<Member> Members::all() const {
  MutexLock lock(mutex_);
  std::vector<Member> members;
  for (const auto& [id, member] : members_) members.push_back(member);
  return members;
}

std::optional<Member> Members::find(NodeId node) const {
  MutexLock lock(mutex_);
  auto found = members_.find(node);
  if (found == members_.end()) return std::nullopt;
  return found->second;
}

bool Members::is_gone(NodeId node) const {
  const std::optional<Member> member = find(node);
  return member && !member->alive;
}

Result<Members::Rows> Members::read_infos() {
  Rows infos;
  TRY(visit_rows(engine_, meta::keys::kNode, [&](NodeId id, const kv::KeyValue& row) -> Status {
    ASSIGN_OR_RETURN(NodeInfo info, NodeInfo::decode(row.bytes));
    infos[id] = {std::move(info), row.version};
    return {};
  }));
  return infos;
}

Result<std::map<NodeId, kv::Version>> Members::read_leases() {
  std::map<NodeId, kv::Version> leases;
  TRY(visit_rows(engine_, meta::keys::kLease, [&](NodeId id, const kv::KeyValue& row) -> Status {
    leases[id] = row.version;
    return {};
  }));
  return leases;
}

std::vector<NodeId> Members::silent(const Rows& infos, const std::map<NodeId, kv::Version>& leases) {
  const int64_t now_ns = clock_.monotonic_ns();
  // Whoever did not look could not see a sign of life: perhaps nobody could renew either, since the engine was away.
  const bool looked_away = now_ns - looked_ns_ > 2 * limits::kMembersLookMs * 1'000'000;
  looked_ns_ = now_ns;
  std::map<NodeId, Sign> signs;
  std::vector<NodeId> silent;
  for (const auto& [id, row] : infos) {
    if (!row.info.active || id == self_) continue;
    auto lease = leases.find(id);
    Sign sign{lease == leases.end() ? 0 : lease->second, now_ns};
    auto known = signs_.find(id);
    if (!looked_away && known != signs_.end() && known->second.lease_version == sign.lease_version)
      sign.since_ns = known->second.since_ns;
    if (now_ns - sign.since_ns >= limits::kLeaseMs * 1'000'000) silent.push_back(id);
    signs[id] = sign;
  }
  signs_ = std::move(signs);
  return silent;
}

Status Members::fence(NodeId node, Row& row, kv::Version lease_version) {
  NodeInfo fenced = row.info;
  ++fenced.epoch;
  fenced.active = false;
  fenced.fenced = true;
  auto transaction = engine_.begin();
  transaction->expect(meta::keys::node(node), row.version);
  transaction->expect(meta::keys::lease(node), lease_version);
  transaction->put(meta::keys::node(node), fenced.encode());
  auto committed = transaction->commit();
  if (committed) {
    row = {fenced, *committed};
    log::warning("node {} on {} is dead: it did not renew its lease for {} s", node.value, fenced.host,
                 limits::kLeaseMs / 1000);
    return {};
  }
  // The next look shows which it was.
  const Code code = committed.error().code;
  if (code == Code::kConflict || code == Code::kMaybeCommitted) return {};
  return Failure(committed.error());
}

void Members::tell_deaths(const Rows& infos) {
  for (const auto& [id, row] : infos) {
    if (row.info.active || !row.info.fenced || id == self_) continue;
    uint64_t& told = told_[id];
    if (std::exchange(told, row.info.epoch) == row.info.epoch) continue;
    for (const Death& death : deaths_) death({id, row.info, false});
  }
}

Status Members::look() {
  ASSIGN_OR_RETURN(Rows infos, read_infos());
  ASSIGN_OR_RETURN(auto leases, read_leases());
  for (NodeId node : silent(infos, leases)) {
    TRY(fence(node, infos[node], leases[node]));
  }
  {
    MutexLock lock(mutex_);
    members_.clear();
    for (const auto& [id, row] : infos) members_[id] = {id, row.info, row.info.active};
  }
  tell_deaths(infos);
  return {};
}

void Members::run() {
  ::pthread_setname_np(::pthread_self(), "members");
  bool failing = false;
  for (;;) {
    Status looked = look();
    if (!looked && !failing) log::warning("the members of the volume could not be read: {}", looked.error().what);
    failing = !looked;
    MutexLock lock(mutex_);
    if (!stopping_) wake_.wait_for_ms(mutex_, limits::kMembersLookMs);
    if (stopping_) return;
  }
}

}  // namespace weir::cluster
