#include "meta/run_transaction.h"

#include <algorithm>

#include "base/limits.h"
#include "base/log.h"
#include "base/patience.h"
#include "meta/keys.h"
#include "meta/rows.h"
#include "meta/slot_pool.h"

namespace weir::meta {

namespace {

/// Counts attempts and sleeps between them: not at first, then up to a bound that doubles.
class Backoff {
 public:
  Backoff(Clock& clock, Random& random)
      : clock_(clock), random_(random), deadline_ns_(clock.monotonic_ns() + limits::kOutageMs * 1'000'000) {}
  /// Also after an attempt that was long: the engine itself waited for its server.
  bool exhausted() const {
    return attempts_ >= limits::kTransactionAttempts || (attempts_ > 0 && clock_.monotonic_ns() >= deadline_ns_);
  }
  int attempts() const { return attempts_; }
  void pause() {
    if (++attempts_ <= 3) return;
    int64_t bound_ms = std::min<int64_t>(int64_t{1} << std::min(attempts_ - 3, 10), limits::kTransactionPauseMs);
    clock_.sleep_ms(1 + static_cast<int64_t>(random_.below(static_cast<uint64_t>(bound_ms))));
  }

 private:
  Clock& clock_;
  Random& random_;
  const int64_t deadline_ns_;
  int attempts_ = 0;
};

/// One mutation, from the lease of its slot to a known outcome.
class Mutation {
 public:
  Mutation(Volume& volume, uint64_t request, const Body& body, SlotPool::Lease slot)
      : volume_(volume), request_(request), body_(body), slot_(std::move(slot)) {}

  Result<std::optional<Bytes>> run() {
    auto outcome = run_until_known();
    // Until the caller has been told, a successor may be asked.
    if (outcome && (request_ & SlotPool::kMadeUp) == 0) slot_.hold_for(request_);
    return outcome;
  }

 private:
  Result<std::optional<Bytes>> run_until_known() {
    if (slot_.unsettled()) {
      ASSIGN_OR_RETURN(bool committed, settle());
      if (committed) return happened(std::move(settled_reply_));
    }
    Backoff backoff(volume_.clock(), volume_.random());
    for (; !backoff.exhausted(); backoff.pause()) {
      auto done = attempt(backoff.attempts() == 0);
      if (!done && has_recalled_ && done.error().code != Code::kMaybeCommitted) done = attempt(false);
      if (done) return std::nullopt;
      last_ = std::move(done).error();
      if (last_.code == Code::kMaybeCommitted) {
        ASSIGN_OR_RETURN(bool committed, settle());
        if (committed) return happened(std::nullopt);
      } else if (last_.code != Code::kConflict) {
        return Failure(std::move(last_));
      }
      ASSIGN_OR_RETURN(auto reply, look_again());
      if (reply) return reply;
    }
    return error(Code::kUnavailable, "gave up after {} attempts: {}", backoff.attempts(), last_.what);
  }

  /// It happened, and what it changed here is not known to this attempt.
  std::optional<Bytes> happened(std::optional<Bytes> reply) {
    volume_.recent_directories().forget_all();
    return reply;
  }

  Status attempt(bool may_recall) {
    auto transaction = volume_.engine().begin();
    transaction->expect(keys::settings(), volume_.settings_version());
    transaction->expect(slot_->key, slot_->version);
    const Membership membership = volume_.membership();
    if (membership.version != 0) transaction->expect(keys::node(volume_.node()), membership.version);
    Attempt attempt{*transaction, slot_->number, {}, membership.epoch, membership.fencings, {}, may_recall};
    const Status ready = body_(attempt);
    has_recalled_ = attempt.has_recalled;
    TRY(ready);
    transaction->put(slot_->key, SlotRow{request_, false, std::move(attempt.reply)}.encode());
    auto committed = commit(*transaction);
    // Also after a failure: whether it happened may not be known, and one too many does no harm.
    for (InodeId directory : attempt.directories) volume_.slots().deltas().note(directory, slot_->number);
    ASSIGN_OR_RETURN(slot_->version, std::move(committed));
    return {};
  }

  Result<kv::Version> commit(kv::Transaction& transaction) {
    if (!volume_.engine().capabilities().shared) return transaction.commit();
    RecentDirectories& recent = volume_.recent_directories();
    const RecentDirectories::Changed changed = RecentDirectories::changed_by(transaction.writes());
    recent.begin_change(changed);
    auto version = transaction.commit();
    if (version) {
      recent.committed(changed, transaction.writes(), *version);
    } else {
      recent.not_committed(changed);
    }
    return version;
  }

  /// After a conflict: did somebody else change the settings, or fence this node, or did a late transaction of an
  /// earlier life of this node change the slot? Its outcome counts if it was this very request.
  Result<std::optional<Bytes>> look_again() {
    auto transaction = volume_.engine().begin();
    auto values = transaction->get_many({slot_->key, keys::settings(), keys::node(volume_.node())});
    if (!values) return std::nullopt;  // the next attempt meets the same error and says so
    TRY(volume_.settings_changed((*values)[1]));
    TRY(volume_.membership_changed((*values)[2]));
    const auto& value = (*values)[0];
    if (!value || value->version == slot_->version) return std::nullopt;
    ASSIGN_OR_RETURN(SlotRow row, SlotRow::decode(value->bytes));
    slot_->version = value->version;
    volume_.recent_directories().forget_all();
    if (row.aborted || row.request == 0) return std::nullopt;
    if (row.request == request_) return row.reply;
    volume_.slots().remember(row.request, std::move(row.reply));
    return std::nullopt;
  }

  /// The reply of a commit was lost: whether it happened. Writes `aborted` over the slot under the version that the
  /// commit expects, so that afterwards either it has happened or it never can. No signal ends that; a thread that does
  /// not wait leaves it to the one that does the request again.
  Result<bool> settle() {
    const Patience insistent([callers = Patience::of_this_thread()] {
      Status asked = Patience::ask(callers);
      return !asked && asked.error().code == Code::kInterrupted ? Status() : asked;
    });
    Backoff backoff(volume_.clock(), volume_.random());
    Error problem;
    for (; !backoff.exhausted(); backoff.pause()) {
      auto transaction = volume_.engine().begin();
      auto value = transaction->get(slot_->key);
      if (!value) {
        problem = std::move(value).error();
        if (problem.code == Code::kOutOfReach) break;
        continue;
      }
      const kv::Version version = *value ? (*value)->version : 0;
      if (version != slot_->version) return settled_by(*value);
      transaction->put(slot_->key, SlotRow{request_, true, {}}.encode());
      if (auto committed = transaction->commit()) {
        slot_->version = *committed;
        return false;
      } else {
        problem = std::move(committed).error();
        if (problem.code == Code::kOutOfReach) break;
      }
    }
    if (problem.code == Code::kOutOfReach) {
      if ((request_ & SlotPool::kMadeUp) == 0) slot_.leave_unsettled(request_);
      return Failure(std::move(problem));
    }
    slot_.retire();
    log::error("a metadata change may or may not have happened: {}", problem.what);
    return error(Code::kUnavailable, "it is not known whether the change happened: {}", problem.what);
  }

  /// Whether the row that stands in the slot now says that this request was done.
  Result<bool> settled_by(const std::optional<kv::Value>& value) {
    if (!value) return error(Code::kCorrupt, "slot {} of node {} is gone", slot_->number, volume_.node().value);
    ASSIGN_OR_RETURN(SlotRow row, SlotRow::decode(value->bytes));
    if (row.request != request_)
      return error(Code::kFenced, "slot {} of node {} is used by another process", slot_->number, volume_.node().value);
    slot_->version = value->version;
    settled_reply_ = std::move(row.reply);
    return !row.aborted;
  }

  Volume& volume_;
  const uint64_t request_;
  const Body& body_;
  SlotPool::Lease slot_;
  bool has_recalled_ = false;  // in the last attempt
  std::optional<Bytes> settled_reply_;
  Error last_;
};

}  // namespace

Result<kv::ReadAnswer> Attempt::read(const kv::ReadBatch& batch) {
  if (may_recall) {
    if (auto recalled = transaction.recall(batch)) {
      has_recalled = true;
      return std::move(*recalled);
    }
  }
  return transaction.read(batch);
}

Result<std::optional<Bytes>> run_transaction(Volume& volume, RequestId request, const Body& body) {
  if (request.value != 0) {
    if (auto reply = volume.slots().reply_of(request.value)) return reply;
  }
  const uint64_t id = request.value != 0 ? request.value : volume.slots().made_up_request();
  ASSIGN_OR_RETURN(SlotPool::Lease slot, volume.slots().lease(id));
  return Mutation(volume, id, body, std::move(slot)).run();
}

Result<kv::Version> run_repeatable(kv::Engine& engine, Clock& clock, Random& random,
                                   const std::function<Status(kv::Transaction&)>& body) {
  Backoff backoff(clock, random);
  Error last;
  for (; !backoff.exhausted(); backoff.pause()) {
    auto transaction = engine.begin();
    auto status = body(*transaction);
    if (status) {
      auto version = transaction->commit();
      if (version) return version;
      last = std::move(version).error();
    } else {
      last = std::move(status).error();
    }
    if (last.code != Code::kConflict && last.code != Code::kMaybeCommitted) return Failure(last);
  }
  return error(Code::kUnavailable, "gave up after {} attempts: {}", backoff.attempts(), last.what);
}

}  // namespace weir::meta
