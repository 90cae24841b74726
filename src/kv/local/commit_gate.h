#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <vector>

#include "base/mutex.h"
#include "kv/local/ordered_store.h"
#include "kv/read_set.h"

namespace weir::kv {

/// Lets the transactions of one process commit to an OrderedStore one after another: validates what they read, keeps
/// fences, and numbers versions. Thread-safe.
///
/// Under the one mutex a commit validates and writes. To validate rarely reads the store: a fixed table remembers, for
/// every key by its hash, a version that no later write of the key is below, which proves most keys unchanged.
class CommitGate {
 public:
  /// A transaction's name here: its address.
  using Owner = const void*;

  /// Borrows `store`, which must outlive the gate.
  explicit CommitGate(OrderedStore& store);

  /// All commits up to this version are visible in the store. 0 before the first commit of this process.
  Version visible() const { return visible_.load(std::memory_order_acquire); }

  /// Blocks: while a validated key is fenced by another owner; Conflict instead when `owner` holds a fence itself.
  Result<Version> commit(Owner owner, const ReadSet& reads, const WriteSet& writes);
  /// Blocks: while another owner has the fence; Conflict instead when `owner` already holds one.
  Status fence(Owner owner, std::string_view key);
  /// Gives back every fence of `owner`. No effect when it has none.
  void release(Owner owner);

 private:
  bool holds_fence(Owner owner) const REQUIRES(mutex_);
  bool fenced_by_other(Owner owner, std::string_view key) const REQUIRES(mutex_);
  bool any_fenced_by_other(Owner owner, const ReadSet& reads, const WriteSet& writes) const REQUIRES(mutex_);
  /// Waits for another fence to go, until `deadline_ns` of the monotonic clock. Conflict when it may not wait.
  Status wait_for_release(Owner owner, int64_t deadline_ns) REQUIRES(mutex_);
  Status validate(const ReadSet& reads, const WriteSet& writes) REQUIRES(mutex_);
  Result<Version> next_version() REQUIRES(mutex_);
  Version& last_write(std::string_view key) REQUIRES(mutex_);

  OrderedStore& store_;
  std::atomic<Version> visible_{0};
  Mutex mutex_;
  ConditionVariable released_;
  std::map<Bytes, Owner, std::less<>> fences_ GUARDED_BY(mutex_);
  std::vector<Version> last_writes_ GUARDED_BY(mutex_);
  Version next_ GUARDED_BY(mutex_) = 0;
  Version reserved_end_ GUARDED_BY(mutex_) = 0;
};

}  // namespace weir::kv
