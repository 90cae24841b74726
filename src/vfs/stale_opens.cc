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
    const bool again =
        told->second.node == node && told->second.looked_up == InodeId{} && now_ns - told->second.at_ns < kRememberedNs;
    told_.erase(told);
    if (again) return false;
  }
  // Who is forgotten is told once more.
  if (told_.size() >= kThreads) told_.clear();
  told_[caller.pid] = {node, now_ns, {}};
  any_ = true;
  return true;
}

void StaleOpens::looked_up(const Caller& caller, std::optional<InodeId> inode) {
  if (!any_) return;
  MutexLock lock(mutex_);
  auto told = told_.find(caller.pid);
  if (told == told_.end()) return;
  if (inode)
    told->second.looked_up = *inode;
  else
    told_.erase(told);
}

bool StaleOpens::comes_back(const Caller& caller, InodeId inode) {
  if (!any_) return false;
  MutexLock lock(mutex_);
  auto told = told_.find(caller.pid);
  if (told == told_.end() || told->second.looked_up != inode) return false;
  const bool soon = clock_.monotonic_ns() - told->second.at_ns < kRememberedNs;
  told_.erase(told);
  return soon;
}

}  // namespace weir::vfs
