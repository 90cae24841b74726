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
        told->second.node == node && !told->second.looked_up && now_ns - told->second.at_ns < kRememberedNs;
    told_.erase(told);
    if (again) return false;
  }
  // Who is forgotten is told once more.
  if (told_.size() >= kThreads) told_.clear();
  told_[caller.pid] = {node, now_ns, {}};
  any_ = true;
  return true;
}

void StaleOpens::looked_up(const Caller& caller, const std::optional<Inode>& inode) {
  if (!any_) return;
  MutexLock lock(mutex_);
  auto told = told_.find(caller.pid);
  if (told == told_.end()) return;
  if (inode)
    told->second.looked_up = inode;
  else
    told_.erase(told);
}

std::optional<Inode> StaleOpens::comes_back(const Caller& caller, InodeId inode) {
  if (!any_) return std::nullopt;
  MutexLock lock(mutex_);
  auto told = told_.find(caller.pid);
  if (told == told_.end() || !told->second.looked_up || told->second.looked_up->id != inode) return std::nullopt;
  const bool soon = clock_.monotonic_ns() - told->second.at_ns < kRememberedNs;
  std::optional<Inode> looked_up = std::move(told->second.looked_up);
  told_.erase(told);
  return soon ? looked_up : std::nullopt;
}

}  // namespace weir::vfs
