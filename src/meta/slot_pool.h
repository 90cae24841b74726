#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <unordered_map>
#include <vector>

#include "base/bytes.h"
#include "base/limits.h"
#include "base/mutex.h"
#include "base/result.h"
#include "kv/engine.h"
#include "meta/delta_slots.h"

namespace weir::meta {

class Volume;

/// The `Y` rows of this node: one a mutation in flight, holding the outcome of the last mutation that used it
/// (docs/data-model.md, "Y slots"). Thread-safe.
class SlotPool {
 public:
  /// Takes the node's slots over from its earlier life: reads the outcomes recorded there and writes every row anew, so
  /// that no transaction of that life can commit any more.
  static Result<std::unique_ptr<SlotPool>> open(Volume& volume);

  struct Slot {
    uint32_t number = 0;
    Bytes key;
    kv::Version version = 0;  // of the row, as far as this node knows
  };

  /// A slot for one mutation; gives it back when destroyed.
  class Lease {
   public:
    Lease(SlotPool& pool, uint32_t number) : pool_(pool), number_(number) {}
    ~Lease() { pool_.give_back(number_, !retired_, held_for_); }
    Lease(const Lease&) = delete;
    Lease& operator=(const Lease&) = delete;
    Slot& operator*() { return pool_.slots_[number_]; }
    Slot* operator->() { return &pool_.slots_[number_]; }
    /// Nobody shall use the slot again in this life: what its last transaction did is not known.
    void retire() { retired_ = true; }
    /// The slot now holds the outcome of this request: nobody shall write over it before answered() is called.
    void hold_for(uint64_t request) { held_for_ = request; }

   private:
    SlotPool& pool_;
    const uint32_t number_;
    bool retired_ = false;
    uint64_t held_for_ = 0;
  };

  /// Blocks: while all slots are in use. When too many hold outcomes of requests that are not answered, the oldest is
  /// written over.
  Lease lease();
  /// Whoever asked for this request knows its outcome. Cheap for requests that no slot is held for.
  void answered(uint64_t request);
  /// From now on outcomes of callers' requests are held until answered(): somebody calls it for each. So are those of
  /// `unanswered` requests, that an earlier life left. Before anything else uses the slots.
  void hold_outcomes(const std::vector<uint64_t>& unanswered);
  /// The reply of a request that an earlier life of this node did.
  std::optional<Bytes> reply_of(uint64_t request);
  /// An outcome that turned up later.
  void remember(uint64_t request, Bytes reply);
  /// A request id that no caller uses and no slot holds. Their highest bit is set.
  uint64_t made_up_request() { return made_up_.fetch_add(1) | kMadeUp; }

  /// Where this node's slots left deltas of directories.
  DeltaSlots& deltas() { return deltas_; }

  static constexpr uint64_t kMadeUp = uint64_t{1} << 63;

 private:
  friend class Lease;
  explicit SlotPool(uint64_t made_up) : made_up_(made_up) {}
  void give_back(uint32_t number, bool usable, uint64_t held_for);

  std::atomic<uint64_t> made_up_;
  std::atomic<bool> any_replies_ = false;
  std::atomic<bool> holds_outcomes_ = false;
  std::atomic<size_t> held_count_ = 0;
  Slot slots_[limits::kSlots];  // each belongs to its lease's thread
  DeltaSlots deltas_;

  Mutex mutex_;
  ConditionVariable returned_;
  std::vector<uint32_t> free_ GUARDED_BY(mutex_);                      // the last one is leased next
  std::deque<std::pair<uint64_t, uint32_t>> held_ GUARDED_BY(mutex_);  // request and slot, oldest first
  std::unordered_map<uint64_t, Bytes> replies_ GUARDED_BY(mutex_);
  std::unordered_map<uint64_t, uint32_t> reply_slots_ GUARDED_BY(mutex_);  // as open() found them
};

}  // namespace weir::meta
