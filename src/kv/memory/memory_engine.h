#pragma once

#include "kv/local/local_engine.h"

namespace weir::kv {

class MemoryStore;

/// The engine for tests: content lives as long as the object. Thread-safe; never waits for disk or network.
///
/// Fault model: crash() stands for the death of the process, or of the machine when `lose_since_barrier`: what was
/// committed since the last barrier() is then gone, all of it. Until reopen() every call fails Unavailable. Versions
/// are not given out again. A fence held by a transaction from before the crash lasts until that transaction is
/// destroyed. Conflicts and lost replies are injected by FaultyEngine round any engine.
class MemoryEngine final : public LocalEngine {
 public:
  MemoryEngine();

  void crash(bool lose_since_barrier);
  void reopen();

 private:
  /// Takes `store` over.
  explicit MemoryEngine(MemoryStore* store);

  MemoryStore& store_;
};

}  // namespace weir::kv
