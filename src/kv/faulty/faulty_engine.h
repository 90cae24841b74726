#pragma once

#include <deque>
#include <map>

#include "base/clock.h"
#include "base/mutex.h"
#include "base/random.h"
#include "kv/engine.h"
#include "kv/recalled_rows.h"

namespace weir::kv {

/// What one commit meets.
enum class Fault {
  kNone,
  kConflict,           // Conflict; nothing is committed
  kUnavailable,        // Unavailable; nothing is committed
  kLostReply,          // MaybeCommitted; it is committed, if the engine took it
  kLostRequest,        // MaybeCommitted; nothing is committed
  kAwayBeforeCommit,   // as kLostRequest; then the server is away
  kAwayAfterCommit,    // as kLostReply; then the server is away
  kCrashBeforeCommit,  // the engine crashes; nothing is committed
  kCrashAfterCommit,   // it is committed, if the engine took it; then the engine crashes
};

/// How often a commit that no script decides meets a fault: so many of 1,000.
struct FaultRates {
  uint64_t conflict = 0;
  uint64_t unavailable = 0;
  uint64_t lost_reply = 0;
  uint64_t lost_request = 0;
};

/// Any engine, with faults. Thread-safe.
///
/// Fault model: only commits of transactions that write meet faults, one each, first from the script, then by the rates
/// from a seed. A commit whose fault is not kNone never tells the truth about its result beyond what Fault says. After
/// a crash every call, and every call of a transaction begun before it, fails Unavailable; reopen() ends it for new
/// transactions. A crash is the process's: what was committed stays, and fences of transactions from before the crash
/// are released when these are destroyed. recall() gives what was read or written within an hour, however old it is.
/// While the server is away, calls fail with what the thread's Patience says, or Unavailable at once where it would
/// wait; come_back() ends that. MemoryEngine::crash() can be the machine's.
class FaultyEngine final : public Engine {
 public:
  /// Takes `engine` over.
  FaultyEngine(std::unique_ptr<Engine> engine, uint64_t seed, FaultRates rates = {});

  std::unique_ptr<Transaction> begin() override;
  Status barrier() override;
  Capabilities capabilities() const override { return engine_->capabilities(); }
  std::string name() const override { return engine_->name(); }

  /// The next commits that write meet these faults, in this order.
  void script(const std::deque<Fault>& faults);
  void set_rates(FaultRates rates);
  void come_back();
  void crash();
  void reopen();
  /// Commits that met `fault` until now, so that a test can tell that it tested something.
  uint64_t injected(Fault fault) const;
  Engine& inner() { return *engine_; }

 private:
  friend class FaultyTransaction;

  Status alive(uint64_t life) const;
  void go_away();
  Fault next_fault();
  Fault roll() REQUIRES(mutex_);

  const std::unique_ptr<Engine> engine_;
  SystemClock clock_;
  RecalledRows recalled_{clock_, 3'600'000};
  mutable Mutex mutex_;
  SeededRandom random_ GUARDED_BY(mutex_);
  FaultRates rates_ GUARDED_BY(mutex_);
  std::deque<Fault> script_ GUARDED_BY(mutex_);
  std::map<Fault, uint64_t> injected_ GUARDED_BY(mutex_);
  /// Raised by each crash; a transaction works in the life in which it began.
  uint64_t life_ GUARDED_BY(mutex_) = 0;
  bool crashed_ GUARDED_BY(mutex_) = false;
  bool away_ GUARDED_BY(mutex_) = false;
};

}  // namespace weir::kv
