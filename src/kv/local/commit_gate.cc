#include "kv/local/commit_gate.h"

#include <algorithm>

#include "base/check.h"
#include "base/clock.h"
#include "base/limits.h"

namespace weir::kv {
namespace {

constexpr size_t kLastWrites = 1u << 16;
constexpr uint64_t kVersionsReserved = 1u << 20;

int64_t fence_deadline_ns() { return SystemClock().monotonic_ns() + limits::kFenceWaitMs * 1'000'000; }

}  // namespace

CommitGate::CommitGate(OrderedStore& store) : store_(store), last_writes_(kLastWrites, 0) {}

Result<Version> CommitGate::commit(Owner owner, const ReadSet& reads, const WriteSet& writes) {
  MutexLock lock(mutex_);
  if (!fences_.empty()) {
    const int64_t deadline_ns = fence_deadline_ns();
    while (any_fenced_by_other(owner, reads, writes)) TRY(wait_for_release(owner, deadline_ns));
  }
  TRY(validate(reads, writes));
  ASSIGN_OR_RETURN(const Version version, next_version());
  // Before the write, so that a write that fails halfway leaves no key proved unchanged.
  for (const auto& write : writes.writes()) last_write(write.first) = version;
  TRY(store_.write(writes, version));
  visible_.store(version, std::memory_order_release);
  return version;
}

Status CommitGate::fence(Owner owner, std::string_view key) {
  MutexLock lock(mutex_);
  const int64_t deadline_ns = fence_deadline_ns();
  while (fenced_by_other(owner, key)) TRY(wait_for_release(owner, deadline_ns));
  fences_.emplace(Bytes(key), owner);
  return {};
}

void CommitGate::release(Owner owner) {
  MutexLock lock(mutex_);
  if (std::erase_if(fences_, [&](const auto& fence) { return fence.second == owner; }) > 0) released_.notify_all();
}

bool CommitGate::holds_fence(Owner owner) const {
  return std::any_of(fences_.begin(), fences_.end(), [&](const auto& fence) { return fence.second == owner; });
}

bool CommitGate::fenced_by_other(Owner owner, std::string_view key) const {
  auto fence = fences_.find(key);
  return fence != fences_.end() && fence->second != owner;
}

bool CommitGate::any_fenced_by_other(Owner owner, const ReadSet& reads, const WriteSet& writes) const {
  for (const auto& seen : reads.seen()) {
    if (ReadSet::validated(seen, writes) && fenced_by_other(owner, seen.first)) return true;
  }
  return false;
}

Status CommitGate::wait_for_release(Owner owner, int64_t deadline_ns) {
  // Who waits holds nothing that another could wait for: so no circle of waiters can form.
  if (holds_fence(owner)) return error(Code::kConflict, "another transaction fences a key of this fencing transaction");
  const int64_t left_ns = deadline_ns - SystemClock().monotonic_ns();
  if (left_ns <= 0) return error(Code::kConflict, "a fence was not released within {} ms", limits::kFenceWaitMs);
  released_.wait_for_ms(mutex_, left_ns / 1'000'000 + 1);
  return {};
}

Status CommitGate::validate(const ReadSet& reads, const WriteSet& writes) {
  if (reads.contradictory()) return error(Code::kConflict, "a key changed between two reads of one transaction");
  for (const auto& seen : reads.seen()) {
    if (!ReadSet::validated(seen, writes)) continue;
    const auto& [key, state] = seen;
    if (state.seen_at != 0 && last_write(key) <= state.seen_at) continue;
    ASSIGN_OR_RETURN(std::optional<Value> now, store_.get(key));
    const Version version = now ? now->version : 0;
    if (version != state.version)
      return error(Code::kConflict, "a key that was read at version {} is at {}", state.version, version);
  }
  return {};
}

Result<Version> CommitGate::next_version() {
  if (next_ == reserved_end_) {
    ASSIGN_OR_RETURN(next_, store_.reserve_versions(kVersionsReserved));
    reserved_end_ = next_ + kVersionsReserved;
    CHECK(next_ > visible_.load());
  }
  return next_++;
}

Version& CommitGate::last_write(std::string_view key) {
  return last_writes_[std::hash<std::string_view>()(key) % kLastWrites];
}

}  // namespace weir::kv
