#include "kv/memory/memory_engine.h"

#include "kv/memory/memory_store.h"

namespace weir::kv {

MemoryEngine::MemoryEngine() : MemoryEngine(new MemoryStore) {}

MemoryEngine::MemoryEngine(MemoryStore* store)
    : LocalEngine(std::unique_ptr<OrderedStore>(store), Capabilities{}, "memory:"), store_(*store) {}

void MemoryEngine::crash(bool lose_since_barrier) { store_.crash(lose_since_barrier); }

void MemoryEngine::reopen() { store_.reopen(); }

}  // namespace weir::kv
