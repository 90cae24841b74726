#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <unordered_map>
#include <utility>
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

  /// When others may use a slot.
  enum class UseAfter : uint8_t { kNow, kAnswered, kSettled, kNever };

  /// A slot for one mutation; gives it back when destroyed. Move-only.
  class Lease {
   public:
    Lease(SlotPool& pool, uint32_t number, bool unsettled) : pool_(&pool), number_(number), unsettled_(unsettled) {}
    Lease(Lease&& other) noexcept
        : pool_(std::exchange(other.pool_, nullptr)), number_(other.number_), unsettled_(other.unsettled_) {}
    Lease& operator=(Lease&&) = delete;
    ~Lease() {
      if (pool_ != nullptr) pool_->give_back(number_, use_after_, request_);
    }
    Slot& operator*() { return pool_->slots_[number_]; }
    Slot* operator->() { return &pool_->slots_[number_]; }
    /// The mutation was begun before, and its last transaction may or may not have happened.
    bool unsettled() const { return unsettled_; }
    /// Nobody shall use the slot again in this life: what its last transaction did is not known.
    void retire() { use_after_ = UseAfter::kNever; }
    /// The slot now holds the outcome of this request: nobody shall write over it before answered() is called.
    void hold_for(uint64_t request) { keep(UseAfter::kAnswered, request); }
    /// The same for a request that will be done again, by lease() of it, and whose outcome is not known yet.
    void leave_unsettled(uint64_t request) { keep(UseAfter::kSettled, request); }

   private:
    void keep(UseAfter use_after, uint64_t request) {
      use_after_ = use_after;
      request_ = request;
    }

    SlotPool* pool_;
    const uint32_t number_;
    const bool unsettled_;
    UseAfter use_after_ = UseAfter::kNow;
    uint64_t request_ = 0;
  };

  /// A slot for this request: the one that it was left unsettled in, if there is. Blocks: while all slots are in use,
  /// as long as the thread has Patience. When too many hold outcomes of requests that are not answered, the oldest is
  /// written over.
  Result<Lease> lease(uint64_t request);
  /// Whoever asked for this request knows its outcome. Cheap for requests that no slot is held for.
  void answered(uint64_t request);
  /// From now on outcomes of callers' requests are held until answered(): somebody calls it for each. So are those of
  /// `unanswered` requests, that an earlier life left. Before anything else uses the slots.
  void hold_outcomes(const std::vector<uint64_t>& unanswered);
  /// The reply of a request that an earlier life of this node did.
  std::optional<Bytes> reply_of(uint64_t request);
  /// Something did this request before, whose answer was lost, or began to and left it unsettled.
  bool may_be_done(uint64_t request);
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
  void give_back(uint32_t number, UseAfter use_after, uint64_t request);

  std::atomic<uint64_t> made_up_;
  std::atomic<bool> any_replies_ = false;
  std::atomic<bool> holds_outcomes_ = false;
  std::atomic<size_t> held_count_ = 0;  // in held_ and unsettled_
  Slot slots_[limits::kSlots];          // each belongs to its lease's thread
  DeltaSlots deltas_;

  Mutex mutex_;
  ConditionVariable returned_;
  std::vector<uint32_t> free_ GUARDED_BY(mutex_);                      // the last one is leased next
  std::deque<std::pair<uint64_t, uint32_t>> held_ GUARDED_BY(mutex_);  // request and slot, oldest first
  std::unordered_map<uint64_t, uint32_t> unsettled_ GUARDED_BY(mutex_);
  std::unordered_map<uint64_t, Bytes> replies_ GUARDED_BY(mutex_);
  std::unordered_map<uint64_t, uint32_t> reply_slots_ GUARDED_BY(mutex_);  // as open() found them
};

}  // namespace weir::meta
