#pragma once

#include <optional>
#include <string>

#include "base/clock.h"
#include "base/limits.h"
#include "base/mutex.h"
#include "base/random.h"
#include "object/object_store.h"
#include "object/retrying/brake.h"

namespace weir::object {

/// Any store, with each operation tried again:
/// - while it is Unavailable or times out, limits::kStoreAttempts times in all;
/// - while it is Throttled, for limits::kStoreThrottledMs, with all operations together slowed down to the rate that
///   the store takes (brake.h; one brake for reads, one for writes), those that were refused before the others.
///   Throttled never leaves here: it becomes Unavailable.
/// Waits double, and are drawn from [0, whole] ("full jitter") so that many nodes do not come back together. A put
/// whose answer was lost is not sent again if the store says that it has those bytes. Failures are logged now and then,
/// the last one of an operation is returned. Every operation may be done twice, which is harmless.
class RetryingStore : public ObjectStore {
 public:
  /// Requires: `store`, `clock` and `random` outlive this; `random` is safe for several threads.
  RetryingStore(ObjectStore& store, Clock& clock, Random& random) : store_(store), clock_(clock), random_(random) {}

  /// Reads that fail are not tried again after that long, as nobody waits for them any more. Before the first read.
  void set_read_patience_ms(int64_t patience_ms) { read_patience_ms_ = patience_ms; }

  Result<size_t> get_into(std::string_view name, uint64_t offset, std::span<char> buffer) override;
  Status put(std::string_view name, const Payload& payload) override;
  Result<bool> checks_digests() override { return store_.checks_digests(); }
  Result<std::optional<ObjectInfo>> head(std::string_view name) override;
  Result<ListPage> list(std::string_view prefix, std::string_view after, size_t limit) override;
  Status remove(std::string_view name) override;
  Status remove_all(std::span<const std::string> names) override;
  std::string describe() const override { return store_.describe(); }

  /// In limits::kStoreLastWaitsMs nobody waits here any more: what fails then, fails at once, and what still waits for
  /// its turn ends as Unavailable. For the end of the store's users, who would wait a minute for a store that is slow
  /// or away otherwise. Any thread.
  void stop();

  /// Rates in requests a second that the store allows now; 0: as many as there are.
  struct Rates {
    double reads = 0;
    double writes = 0;
  };
  Rates rates() const;

  /// How the store has answered, since the start.
  struct Health {
    uint64_t refused = 0;      // attempts that it found too many
    uint64_t failed = 0;       // attempts out of reach, or that timed out
    int64_t failing_ms = 0;    // for so long attempts have only failed; 0: the last one did not
    std::string last_failure;  // one sentence; empty: none
  };
  Health health() const;

 private:
  enum class Kind { kRead, kWrite };
  struct Tries {
    int64_t begun_ns = 0;
    int failed = 0;  // out of reach, or timed out
    int refused = 0;
    bool again = true;            // after the last outcome
    bool again_by_brake = false;  // that was a refusal
  };

  template <class Run>
  auto retry(Kind kind, std::string_view action, std::string_view name, Run run) -> decltype(run());
  /// Blocks: until the brake lets the operation go. False: stop() was called.
  bool wait_for_turn(Kind kind, Tries& tries);
  void note(Kind kind, const Error* failure, std::string_view action, std::string_view name, Tries& tries);
  void count(bool refused, bool failed, const Error* failure, int64_t now_ns) REQUIRES(mutex_);
  /// Blocks: before a further attempt. False: stop() was called.
  bool wait_before_next(const Tries& tries);
  bool is_there(std::string_view name, const Payload& payload);
  bool may_wait() const REQUIRES(mutex_);
  Brake& brake(Kind kind) REQUIRES(mutex_) { return kind == Kind::kRead ? reads_ : writes_; }

  ObjectStore& store_;
  Clock& clock_;
  Random& random_;
  int64_t read_patience_ms_ = limits::kStoreThrottledMs;
  mutable Mutex mutex_;
  Brake reads_ GUARDED_BY(mutex_);
  Brake writes_ GUARDED_BY(mutex_);
  int64_t patience_ends_ns_ GUARDED_BY(mutex_) = INT64_MAX;
  Health health_ GUARDED_BY(mutex_);  // without failing_ms
  std::optional<int64_t> failing_since_ns_ GUARDED_BY(mutex_);
  int64_t logged_ns_ GUARDED_BY(mutex_) = INT64_MIN / 2;
};

}  // namespace weir::object
