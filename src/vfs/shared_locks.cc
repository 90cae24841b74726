#include "vfs/shared_locks.h"

#include <pthread.h>

#include "base/bytes.h"
#include "base/limits.h"
#include "base/log.h"

namespace weir::vfs {

namespace {

constexpr const char* kTopic = "lock";

bool passes(Code code) {
  return code == Code::kUnavailable || code == Code::kConflict || code == Code::kTimeout || code == Code::kThrottled;
}

}  // namespace

SharedLocks::SharedLocks(Parts parts) : parts_(std::move(parts)), node_(parts_.volume.node()), notes_(parts_.slots) {}

Result<std::unique_ptr<SharedLocks>> SharedLocks::start(Parts parts) {
  std::unique_ptr<SharedLocks> locks(new SharedLocks(std::move(parts)));
  TRY(locks->take_over());
  locks->pool_ = std::make_unique<ThreadPool>("weir-lock", limits::kLockThreads, limits::kLockQueue);
  locks->poller_ = std::thread([self = locks.get()] { self->run(); });
  if (cluster::Messenger* messenger = locks->parts_.messenger)
    locks->subscription_ =
        messenger->subscribe(kTopic, [self = locks.get()](NodeId, std::string_view body) { self->heard(body); });
  return locks;
}

SharedLocks::~SharedLocks() {
  subscription_.reset();
  {
    MutexLock lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  if (poller_.joinable()) poller_.join();
  const bool began = pool_ != nullptr;
  pool_.reset();
  if (began) end_all();
}

Status SharedLocks::take_over() {
  const uint64_t epoch = parts_.epoch();
  size_t lost = 0;
  for (InodeId inode : notes_.inodes()) {
    ASSIGN_OR_RETURN(auto held, meta::reclaim_locks(parts_.volume, inode, node_, epoch));
    lost += notes_.keep_only(inode, held);
  }
  if (lost > 0)
    parts_.report(
        fmt::format("{} locks were lost while other nodes took this one for dead; the programs that held them "
                    "were not told",
                    lost));
  if (epoch > 0) {
    ASSIGN_OR_RETURN(auto granted, meta::release_locks_of(parts_.volume, node_, epoch - 1));
    tell(granted);
  }
  epoch_ = epoch;
  return {};
}

NodeLock SharedLocks::node_lock(const Lock& lock) const {
  NodeLock of_node;
  static_cast<Lock&>(of_node) = lock;
  of_node.node = node_;
  of_node.epoch = parts_.epoch();
  return of_node;
}

Result<Lock> SharedLocks::conflicting(InodeId inode, const Lock& wanted) {
  Lock answer = wanted;
  answer.type = LockType::kNone;
  ASSIGN_OR_RETURN(auto rows, meta::lock_rows(parts_.volume, {inode}));
  const NodeLock* conflict = rows[0].conflict_with(node_lock(wanted));
  if (conflict == nullptr) return answer;
  answer = *conflict;
  // The number of a process of another machine says nothing here.
  if (conflict->node != node_) answer.pid = 0;
  return answer;
}

void SharedLocks::set(InodeId inode, const Lock& wanted, bool wait, uint64_t request, LockDone done) {
  const LockNotes::Place place{inode, wanted.kind, wanted.owner};
  if (wanted.type == LockType::kNone) return release(inode, wanted, done);
  notes_.begin(place);
  {
    MutexLock lock(mutex_);
    Wait call;
    call.inode = inode;
    call.wanted = node_lock(wanted);
    call.done = std::move(done);
    call.waits = wait;
    call.begun_ns = call.looked_ns = parts_.volume.clock().monotonic_ns();
    if (waits_.try_emplace(request, std::move(call)).second) done = nullptr;
  }
  if (done) {
    notes_.end(place, true);
    return done(error(Code::kInvalid, "request {} waits for a lock already", request));
  }
  submit(request);
}

void SharedLocks::release(InodeId inode, const Lock& wanted, const LockDone& done) {
  const LockNotes::Place place{inode, wanted.kind, wanted.owner};
  if (!notes_.may_hold(place)) return done({});
  notes_.begin(place);
  auto changed = meta::set_lock(parts_.volume, inode, node_lock(wanted), std::nullopt);
  notes_.end(place, !changed || changed->holds_any);
  if (!changed) return done(Failure(changed.error()));
  tell(changed->granted);
  done({});
}

void SharedLocks::interrupt(uint64_t request) {
  {
    MutexLock lock(mutex_);
    auto found = waits_.find(request);
    if (found == waits_.end() || !found->second.waits) return;
    found->second.interrupted = true;
  }
  submit(request);
}

void SharedLocks::release_owner(InodeId inode, LockKind kind, uint64_t owner) {
  const LockNotes::Place place{inode, kind, owner};
  if (!notes_.may_hold(place)) return;
  notes_.begin(place);
  auto granted = meta::release_owner(parts_.volume, inode, node_, kind, owner);
  notes_.end(place, !granted);
  if (granted) return tell(*granted);
  log::warning("locks of inode {} could not be given up, which is tried again: {}", inode.value, granted.error().what);
  MutexLock lock(mutex_);
  releases_.push_back(place);
  changed_.notify_all();
}

void SharedLocks::node_died(NodeId node, uint64_t epoch) {
  MutexLock lock(mutex_);
  dead_.push_back({node, epoch});
  changed_.notify_all();
}

// ---- One call after another.

void SharedLocks::submit(uint64_t request) {
  // The next poll finds what there is no room for.
  pool_->try_submit([this, request] { advance(request); });
}

bool SharedLocks::take_job(uint64_t request, Job& job) {
  MutexLock lock(mutex_);
  auto found = waits_.find(request);
  if (found == waits_.end()) return false;
  Wait& wait = found->second;
  if (wait.busy) {
    wait.again = true;
    return false;
  }
  wait.busy = true;
  wait.again = false;
  job = {wait.inode, wait.wanted, wait.waits, wait.in_table, wait.interrupted, wait.looks_for_circle, true};
  wait.looks_for_circle = false;
  return true;
}

void SharedLocks::advance(uint64_t request) {
  Job job;
  while (take_job(request, job)) {
    std::optional<Status> answer = step(request, job);
    LockDone done;
    {
      MutexLock lock(mutex_);
      Wait& wait = waits_.at(request);
      wait.busy = false;
      wait.in_table = job.in_table;
      if (!answer) {
        const bool more = wait.again || !job.in_table || (wait.interrupted && !job.interrupted);
        if (more) continue;
        changed_.notify_all();
        return;
      }
      done = std::move(wait.done);
      waits_.erase(request);
    }
    notes_.end({job.inode, job.wanted.kind, job.wanted.owner}, job.holds);
    return done(*answer);
  }
}

std::optional<Status> SharedLocks::step(uint64_t request, Job& job) {
  if (job.interrupted) {
    auto ended = job.in_table ? meta::end_wait(parts_.volume, job.inode, node_, request) : Result<bool>(true);
    if (!ended) return unless_it_passes(ended.error());
    if (*ended) return error(Code::kInterrupted, "the wait for a lock was interrupted");
  }
  return job.in_table ? look(request, job) : enter(request, job);
}

std::optional<Status> SharedLocks::enter(uint64_t request, Job& job) {
  auto made = meta::set_lock(parts_.volume, job.inode, job.wanted, job.waits ? std::optional(request) : std::nullopt);
  if (!made) return Failure(made.error());
  tell(made->granted);
  job.holds = made->holds_any;
  switch (made->outcome) {
    case meta::LockOutcome::kGranted: return finish_granted(job, made->inode);
    case meta::LockOutcome::kRefused: return error(Code::kWouldBlock, "the lock is held by another");
    case meta::LockOutcome::kWaiting: job.in_table = true;
  }
  return std::nullopt;
}

std::optional<Status> SharedLocks::look(uint64_t request, Job& job) {
  auto rows = meta::lock_rows(parts_.volume, {job.inode});
  if (!rows) return unless_it_passes(rows.error());
  if ((*rows)[0].waiter(node_, request) != nullptr) {
    if (!job.looks_for_circle || job.wanted.kind != LockKind::kPosix) return std::nullopt;
    auto end = meta::end_circle(parts_.volume, job.inode, node_, request);
    if (!end) return unless_it_passes(end.error());
    if (end->other) tell({*end->other});
    if (end->ended) return error(Code::kDeadlock, "waiting for the lock would never end");
    return std::nullopt;
  }
  if ((*rows)[0].covers(job.wanted)) return finish_granted(job, std::nullopt);
  // Others took this node for dead, and its waits with it.
  job.in_table = false;
  return std::nullopt;
}

Status SharedLocks::finish_granted(const Job& job, const std::optional<Inode>& inode) {
  Status seen = parts_.revalidate(job.inode, inode);
  if (seen) return {};
  // Who does not see what others wrote under the lock must not have it.
  Lock none = job.wanted;
  none.type = LockType::kNone;
  auto changed = meta::set_lock(parts_.volume, job.inode, node_lock(none), std::nullopt);
  if (changed) tell(changed->granted);
  return seen;
}

std::optional<Status> SharedLocks::unless_it_passes(const Error& problem) {
  if (!passes(problem.code)) return Failure(problem);
  MutexLock lock(mutex_);
  if (!std::exchange(failing_, true))
    log::warning("locks that are waited for cannot be looked at, which is tried again: {}", problem.what);
  return std::nullopt;
}

// ---- Among nodes.

void SharedLocks::tell(const std::vector<meta::LockGrant>& grants) {
  for (const meta::LockGrant& grant : grants) {
    Encoder body;
    body.u64(grant.request);
    if (grant.node == node_)
      heard(body.bytes());
    else if (parts_.messenger != nullptr)
      parts_.messenger->tell(grant.node, kTopic, body.bytes());
  }
}

void SharedLocks::heard(std::string_view body) {
  Decoder decoder(body);
  const uint64_t request = decoder.u64();
  if (!decoder.finish("message about a lock")) return;
  {
    MutexLock lock(mutex_);
    auto found = waits_.find(request);
    if (found == waits_.end()) return;
    found->second.looks_for_circle = true;
  }
  submit(request);
}

// ---- What is looked at now and then.

bool SharedLocks::has_work() const {
  if (!releases_.empty() || !dead_.empty() || parts_.epoch() != epoch_) return true;
  for (const auto& [request, wait] : waits_)
    if (wait.in_table) return true;
  return false;
}

void SharedLocks::run() {
  ::pthread_setname_np(::pthread_self(), "weir-lock-poll");
  int64_t retried_ns = 0;
  while (true) {
    {
      MutexLock lock(mutex_);
      while (!stopping_ && !has_work()) changed_.wait_for_ms(mutex_, limits::kLockPollMs);
      if (stopping_) return;
    }
    hold_on();
    bury_dead();
    poll_waits();
    const int64_t now_ns = parts_.volume.clock().monotonic_ns();
    if (now_ns - retried_ns >= limits::kLockPollMs * 1'000'000) {
      retried_ns = now_ns;
      retry_releases();
    }
    MutexLock lock(mutex_);
    if (!stopping_) changed_.wait_for_ms(mutex_, limits::kLockCircleMs);
    if (stopping_) return;
  }
}

void SharedLocks::poll_waits() {
  const int64_t now_ns = parts_.volume.clock().monotonic_ns();
  std::map<InodeId, std::vector<uint64_t>> due;
  {
    MutexLock lock(mutex_);
    size_t circles = 0;
    for (auto& [request, wait] : waits_) {
      const bool first = wait.looked_ns == wait.begun_ns;
      const int64_t pause_ms = first ? limits::kLockCircleMs : limits::kLockPollMs;
      if (!wait.in_table || wait.busy || now_ns - wait.looked_ns < pause_ms * 1'000'000) continue;
      const bool posix = wait.wanted.kind == LockKind::kPosix;
      if (first && !posix) {
        wait.looked_ns = now_ns;
        continue;
      }
      if (posix && ++circles > limits::kLockCirclesAtOnce) continue;
      wait.looked_ns = now_ns;
      wait.looks_for_circle = posix;
      due[wait.inode].push_back(request);
    }
    if (due.empty()) return;
  }
  std::vector<InodeId> inodes;
  for (const auto& [inode, requests] : due) inodes.push_back(inode);
  auto rows = meta::lock_rows(parts_.volume, inodes);
  if (!rows) {
    unless_it_passes(rows.error());
    return;
  }
  {
    MutexLock lock(mutex_);
    if (std::exchange(failing_, false)) log::info("locks that are waited for can be looked at again");
  }
  for (size_t i = 0; i < inodes.size(); ++i)
    for (uint64_t request : due[inodes[i]]) submit_if_due(request, (*rows)[i]);
}

void SharedLocks::submit_if_due(uint64_t request, const meta::LockRow& row) {
  {
    MutexLock lock(mutex_);
    auto found = waits_.find(request);
    if (found == waits_.end()) return;
    const Wait& wait = found->second;
    if (row.waiter(node_, request) != nullptr && !wait.interrupted && !wait.looks_for_circle) return;
  }
  submit(request);
}

void SharedLocks::retry_releases() {
  std::vector<LockNotes::Place> failed;
  {
    MutexLock lock(mutex_);
    failed.swap(releases_);
  }
  for (const LockNotes::Place& place : failed) release_owner(place.inode, place.kind, place.owner);
}

void SharedLocks::bury_dead() {
  std::vector<DeadNode> dead;
  {
    MutexLock lock(mutex_);
    dead.swap(dead_);
  }
  for (const DeadNode& one : dead) {
    auto granted = meta::release_locks_of(parts_.volume, one.node, one.epoch);
    if (granted) {
      tell(*granted);
      continue;
    }
    log::warning("locks of node {}, which is dead, could not be released, which is tried again: {}", one.node.value,
                 granted.error().what);
    node_died(one.node, one.epoch);
  }
}

void SharedLocks::hold_on() {
  if (parts_.epoch() == epoch_) return;
  Status taken = take_over();
  if (!taken) unless_it_passes(taken.error());
}

void SharedLocks::end_all() {
  std::map<uint64_t, Wait> waits;
  {
    MutexLock lock(mutex_);
    waits.swap(waits_);
  }
  Status given_up;
  for (auto& [request, wait] : waits) {
    if (wait.in_table && given_up) {
      auto ended = meta::end_wait(parts_.volume, wait.inode, node_, request);
      if (!ended) given_up = Failure(ended.error());
    }
    wait.done(error(Code::kUnavailable, "the volume is unmounted"));
  }
  for (const LockNotes::Place& place : notes_.all()) {
    if (!given_up) break;
    auto granted = meta::release_owner(parts_.volume, place.inode, node_, place.kind, place.owner);
    if (granted) {
      tell(*granted);
      notes_.end(place, false);
    } else {
      given_up = Failure(granted.error());
    }
  }
  if (!given_up && given_up.error().code != Code::kFenced)
    log::warning("locks of this node stay until it is mounted again or others take it for dead: {}",
                 given_up.error().what);
}

}  // namespace weir::vfs
