#pragma once

#include <memory>
#include <vector>

#include "base/mutex.h"
#include "kv/local/local_engine.h"

namespace weir::kv {

struct MemoryDisk;

/// The engine for tests: content lives as long as the object. Thread-safe; never waits for disk or network.
///
/// Fault model: crash() stands for the death of the process, or of the machine when `lose_since_barrier`: what was
/// committed since the last barrier() is then gone, all of it. Every call fails Unavailable until reopen(), and every
/// call of a transaction begun before the crash for ever; its fences are gone. Versions are not given out again.
/// Conflicts and lost replies are injected by FaultyEngine, round any engine.
class MemoryEngine final : public Engine {
 public:
  /// `shared`: as if several nodes had it open.
  explicit MemoryEngine(bool shared = false);
  ~MemoryEngine() override;

  std::unique_ptr<Transaction> begin() override { return current().begin(); }
  Status barrier() override { return current().barrier(); }
  Capabilities capabilities() const override { return {.shared = shared_}; }
  std::string name() const override { return "memory:"; }

  void crash(bool lose_since_barrier);
  void reopen();

 private:
  LocalEngine& current();

  const bool shared_;
  const std::shared_ptr<MemoryDisk> disk_;
  Mutex mutex_;
  /// One for each reopening; the earlier ones stay for the transactions that were begun in them.
  std::vector<std::unique_ptr<LocalEngine>> lives_ GUARDED_BY(mutex_);
};

}  // namespace weir::kv
