#include "meta/slot_pool.h"

#include <algorithm>

#include "base/patience.h"
#include "meta/keys.h"
#include "meta/rows.h"
#include "meta/run_transaction.h"
#include "meta/volume.h"

namespace weir::meta {

namespace {

constexpr int64_t kHeldWaitMs = 20;  // for an answer, before an outcome that nobody took is written over

}  // namespace

Result<std::unique_ptr<SlotPool>> SlotPool::open(Volume& volume) {
  std::unique_ptr<SlotPool> pool(new SlotPool(volume.random().next_u64()));
  std::vector<Bytes> slot_keys;
  for (uint32_t number = 0; number < limits::kSlots; ++number) {
    slot_keys.push_back(keys::slot(volume.node(), number));
    pool->slots_[number] = Slot{number, slot_keys.back(), 0};
  }

  std::vector<SlotRow> rows;
  ASSIGN_OR_RETURN(kv::Version version,
                   run_repeatable(volume.engine(), volume.clock(), volume.random(), [&](kv::Transaction& transaction) {
                     rows.assign(limits::kSlots, SlotRow());
                     auto values = transaction.get_many(slot_keys);
                     if (!values) return Status(Failure(values.error()));
                     for (uint32_t number = 0; number < limits::kSlots; ++number) {
                       if (auto& value = (*values)[number]) {
                         auto row = SlotRow::decode(value->bytes);
                         if (!row) return Status(Failure(row.error()));
                         rows[number] = std::move(*row);
                       }
                       transaction.put(slot_keys[number], rows[number].encode());
                     }
                     return Status();
                   }));

  // Outcomes that someone may still ask for lie at the bottom, so that they are overwritten last.
  std::vector<uint32_t> wanted, others;
  MutexLock lock(pool->mutex_);
  for (uint32_t number = 0; number < limits::kSlots; ++number) {
    pool->slots_[number].version = version;
    SlotRow& row = rows[number];
    bool is_wanted = row.request != 0 && (row.request & kMadeUp) == 0 && !row.aborted;
    (is_wanted ? wanted : others).push_back(number);
    if (!is_wanted) continue;
    pool->reply_slots_[row.request] = number;
    pool->replies_[row.request] = std::move(row.reply);
  }
  pool->any_replies_ = !pool->replies_.empty();
  pool->free_ = wanted;
  pool->free_.insert(pool->free_.end(), others.rbegin(), others.rend());
  return pool;
}

Result<SlotPool::Lease> SlotPool::lease(uint64_t request) {
  MutexLock lock(mutex_);
  if (auto found = unsettled_.find(request); found != unsettled_.end()) {
    const uint32_t number = found->second;
    unsettled_.erase(found);
    --held_count_;
    return Lease(*this, number, true);
  }
  while (free_.empty()) {
    TRY(Patience::ask());
    if (returned_.wait_for_ms(mutex_, kHeldWaitMs) || !free_.empty() || held_.empty()) continue;
    free_.push_back(held_.front().second);
    held_.pop_front();
    --held_count_;
  }
  const uint32_t number = free_.back();
  free_.pop_back();
  return Lease(*this, number, false);
}

void SlotPool::give_back(uint32_t number, UseAfter use_after, uint64_t request) {
  if (use_after == UseAfter::kNever) return;
  MutexLock lock(mutex_);
  if (use_after == UseAfter::kSettled || (use_after == UseAfter::kAnswered && holds_outcomes_)) {
    if (use_after == UseAfter::kSettled)
      unsettled_[request] = number;
    else
      held_.emplace_back(request, number);
    ++held_count_;
    return;
  }
  free_.push_back(number);
  returned_.notify_one();
}

void SlotPool::hold_outcomes(const std::vector<uint64_t>& unanswered) {
  MutexLock lock(mutex_);
  holds_outcomes_ = true;
  for (uint64_t request : unanswered) {
    auto found = reply_slots_.find(request);
    if (found == reply_slots_.end() || std::erase(free_, found->second) == 0) continue;
    held_.emplace_back(request, found->second);
    ++held_count_;
  }
  reply_slots_.clear();
}

void SlotPool::answered(uint64_t request) {
  if (held_count_.load(std::memory_order_acquire) == 0) return;
  MutexLock lock(mutex_);
  const auto free = [&](uint32_t number) REQUIRES(mutex_) {
    free_.push_back(number);
    --held_count_;
    returned_.notify_one();
  };
  std::erase_if(held_, [&](const std::pair<uint64_t, uint32_t>& held) REQUIRES(mutex_) {
    if (held.first == request) free(held.second);
    return held.first == request;
  });
  // Its caller gave up. Who uses the slot next meets what became of it as a conflict.
  if (auto found = unsettled_.find(request); found != unsettled_.end()) {
    free(found->second);
    unsettled_.erase(found);
  }
}

std::optional<Bytes> SlotPool::reply_of(uint64_t request) {
  if (!any_replies_.load(std::memory_order_acquire)) return std::nullopt;
  MutexLock lock(mutex_);
  auto found = replies_.find(request);
  if (found == replies_.end()) return std::nullopt;
  return found->second;
}

bool SlotPool::may_be_done(uint64_t request) {
  if (reply_of(request)) return true;
  if (held_count_.load(std::memory_order_acquire) == 0) return false;
  MutexLock lock(mutex_);
  return unsettled_.contains(request);
}

void SlotPool::remember(uint64_t request, Bytes reply) {
  MutexLock lock(mutex_);
  replies_[request] = std::move(reply);
  any_replies_.store(true, std::memory_order_release);
}

}  // namespace weir::meta
