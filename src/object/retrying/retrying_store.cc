#include "object/retrying/retrying_store.h"

#include <algorithm>

#include "base/limits.h"
#include "base/log.h"

namespace weir::object {

namespace {

constexpr int64_t kNsPerMs = 1'000'000;
constexpr int64_t kBetweenLogsNs = 1000 * kNsPerMs;
constexpr int64_t kLookAgainMs = 100;  // the brake's rate may have changed, or stop() was called

}  // namespace

RetryingStore::Rates RetryingStore::rates() const {
  MutexLock lock(mutex_);
  return {reads_.rate(), writes_.rate()};
}

RetryingStore::Health RetryingStore::health() const {
  MutexLock lock(mutex_);
  Health health = health_;
  if (failing_since_ns_)
    health.failing_ms = std::max<int64_t>(1, (clock_.monotonic_ns() - *failing_since_ns_) / kNsPerMs);
  return health;
}

void RetryingStore::count(bool refused, bool failed, const Error* failure, int64_t now_ns) {
  health_.refused += refused ? 1 : 0;
  health_.failed += failed ? 1 : 0;
  if (refused || failed) health_.last_failure = failure->what;
  // A refusal is an answer.
  if (!failed)
    failing_since_ns_.reset();
  else if (!failing_since_ns_)
    failing_since_ns_ = now_ns;
}

void RetryingStore::stop() {
  MutexLock lock(mutex_);
  patience_ends_ns_ = std::min(patience_ends_ns_, clock_.monotonic_ns() + limits::kStoreLastWaitsMs * kNsPerMs);
}

bool RetryingStore::may_wait() const { return clock_.monotonic_ns() < patience_ends_ns_; }

bool RetryingStore::wait_for_turn(Kind kind, Tries& tries) {
  std::optional<double> turn;
  while (true) {
    int64_t wait_ns = 0;
    {
      MutexLock lock(mutex_);
      if (!turn) turn = tries.again_by_brake ? brake(kind).take_turn_again() : brake(kind).take_turn();
      wait_ns = brake(kind).wait_ns(*turn, clock_.monotonic_ns());
      if (wait_ns > 0 && !may_wait()) return false;
    }
    if (wait_ns == 0) return true;
    clock_.sleep_ms(std::clamp<int64_t>(wait_ns / kNsPerMs, 1, kLookAgainMs));
  }
}

void RetryingStore::note(Kind kind, const Error* failure, std::string_view action, std::string_view name,
                         Tries& tries) {
  const bool refused = failure != nullptr && failure->code == Code::kThrottled;
  const bool failed = failure != nullptr && (failure->code == Code::kUnavailable || failure->code == Code::kTimeout);
  tries.refused += refused ? 1 : 0;
  tries.failed += failed ? 1 : 0;
  tries.again_by_brake = refused;
  bool say = false;
  {
    MutexLock lock(mutex_);
    const int64_t now_ns = clock_.monotonic_ns();  // under the lock: the brake's time goes on with each call
    const int64_t patience_ms =
        kind == Kind::kRead ? std::min(read_patience_ms_, limits::kStoreThrottledMs) : limits::kStoreThrottledMs;
    const bool in_time = now_ns - tries.begun_ns < patience_ms * kNsPerMs;
    tries.again = may_wait() && ((refused && in_time) || (failed && tries.failed < limits::kStoreAttempts &&
                                                          (in_time || kind == Kind::kWrite)));
    count(refused, failed, failure, now_ns);
    if (refused) brake(kind).refused(now_ns);
    if (!refused && !failed) brake(kind).accepted(now_ns);
    say = tries.again && now_ns - logged_ns_ >= kBetweenLogsNs;
    if (say) logged_ns_ = now_ns;
  }
  if (say) log::warning("{} {} is tried again: {}", action, name, failure->what);
}

bool RetryingStore::wait_before_next(const Tries& tries) {
  int64_t whole_ms = limits::kStoreRetryDelayMs;
  // After a refusal it is the brake that makes it wait: a longer pause would only leave turns unused.
  for (int i = 1; i < tries.failed; ++i) whole_ms = std::min(whole_ms * 2, limits::kStoreRetryDelayMaxMs);
  int64_t left_ms = static_cast<int64_t>(random_.below(static_cast<uint64_t>(whole_ms + 1)));
  while (left_ms > 0) {
    const int64_t piece_ms = std::min(left_ms, kLookAgainMs);
    clock_.sleep_ms(piece_ms);
    left_ms -= piece_ms;
    MutexLock lock(mutex_);
    if (!may_wait()) return false;
  }
  return true;
}

template <class Run>
auto RetryingStore::retry(Kind kind, std::string_view action, std::string_view name, Run run) -> decltype(run()) {
  Tries tries{.begun_ns = clock_.monotonic_ns()};
  while (true) {
    if (!wait_for_turn(kind, tries))
      return error(Code::kUnavailable, "{} {}: the object store is being closed", action, name);
    auto result = run();
    note(kind, result ? nullptr : &result.error(), action, name, tries);
    if (result) return result;
    if (tries.again && wait_before_next(tries)) continue;
    if (result.error().code == Code::kThrottled) result.error().code = Code::kUnavailable;
    return result;
  }
}

Result<size_t> RetryingStore::get_into(std::string_view name, uint64_t offset, std::span<char> buffer) {
  return retry(Kind::kRead, "get", name, [&] { return store_.get_into(name, offset, buffer); });
}

bool RetryingStore::is_there(std::string_view name, const Payload& payload) {
  auto info = store_.head(name);
  return info && *info && (*info)->size == payload.bytes().size() && (*info)->sha256 &&
         *(*info)->sha256 == payload.digest();
}

Status RetryingStore::put(std::string_view name, const Payload& payload) {
  bool in_doubt = false;
  return retry(Kind::kWrite, "put", name, [&]() -> Status {
    if (in_doubt && is_there(name, payload)) return {};
    Status done = store_.put(name, payload);
    in_doubt = !done && done.error().code != Code::kThrottled;
    return done;
  });
}

Result<std::optional<ObjectInfo>> RetryingStore::head(std::string_view name) {
  return retry(Kind::kRead, "head", name, [&] { return store_.head(name); });
}

Result<ListPage> RetryingStore::list(std::string_view prefix, std::string_view after, size_t limit) {
  return retry(Kind::kRead, "list", prefix, [&] { return store_.list(prefix, after, limit); });
}

Status RetryingStore::remove(std::string_view name) {
  return retry(Kind::kWrite, "remove", name, [&] { return store_.remove(name); });
}

Status RetryingStore::remove_all(std::span<const std::string> names) {
  if (names.empty()) return {};
  return retry(Kind::kWrite, "remove", names.front(), [&] { return store_.remove_all(names); });
}

}  // namespace weir::object
