#include "vfs/stale_opens.h"

namespace weir::vfs {

namespace {

constexpr int64_t kRememberedNs = 1'000'000'000;
constexpr size_t kThreads = 4096;

}  // namespace

bool StaleOpens::tell(const Caller& caller, KernelNode node) {
  const int64_t now_ns = clock_.monotonic_ns();
  MutexLock lock(mutex_);
  if (auto told = told_.find(caller.pid); told != told_.end()) {
    const bool again = told->second.node == node && now_ns - told->second.at_ns < kRememberedNs;
    told_.erase(told);
    if (again) return false;
  }
  // Who is forgotten is told once more.
  if (told_.size() >= kThreads) told_.clear();
  told_[caller.pid] = {node, now_ns};
  return true;
}

bool StaleOpens::comes_back(const Caller& caller, int64_t looked_up_ns) {
  MutexLock lock(mutex_);
  auto told = told_.find(caller.pid);
  if (told == told_.end()) return false;
  const int64_t told_ns = told->second.at_ns;
  if (looked_up_ns < told_ns || clock_.monotonic_ns() - told_ns >= kRememberedNs) return false;
  told_.erase(told);
  return true;
}

}  // namespace weir::vfs
