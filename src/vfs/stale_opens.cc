#include "vfs/stale_opens.h"

namespace weir::vfs {

namespace {

constexpr int64_t kRememberedNs = 1'000'000'000;
constexpr size_t kThreads = 4096;
constexpr size_t kInodes = 512;

}  // namespace

bool StaleOpens::tell(const Caller& caller, KernelNode node) {
  const int64_t now_ns = clock_.monotonic_ns();
  MutexLock lock(mutex_);
  if (auto told = told_.find(caller.pid); told != told_.end()) {
    const bool again = told->second.node == node && !told->second.of_attributes && !told->second.looked_up &&
                       now_ns - told->second.at_ns < kRememberedNs;
    told_.erase(told);
    if (again) return false;
  }
  // Who is forgotten is told once more.
  if (told_.size() >= kThreads) told_.clear();
  told_[caller.pid] = {node, now_ns, false, {}};
  any_ = true;
  return true;
}

void StaleOpens::told_of_attributes(const Caller& caller, KernelNode node) {
  MutexLock lock(mutex_);
  if (told_.size() >= kThreads) told_.clear();
  told_[caller.pid] = {node, clock_.monotonic_ns(), true, {}};
  any_ = true;
}

void StaleOpens::looked_up(const Caller& caller, const std::optional<Inode>& inode) {
  if (!any_) return;
  MutexLock lock(mutex_);
  if (inode) remember(*inode);
  auto told = told_.find(caller.pid);
  if (told == told_.end()) return;
  if (inode)
    told->second.looked_up = inode->id;
  else
    told_.erase(told);
}

void StaleOpens::remember(const Inode& inode) {
  if (recent_.insert_or_assign(inode.id, inode).second) order_.push_back(inode.id);
  if (order_.size() <= kInodes) return;
  recent_.erase(order_.front());
  order_.pop_front();
}

StaleOpens::ComesBack StaleOpens::comes_back(const Caller& caller, InodeId inode) {
  if (!any_) return {};
  MutexLock lock(mutex_);
  auto told = told_.find(caller.pid);
  if (told == told_.end() || !told->second.looked_up) return {};
  // By a descriptor, maybe: the kernel did not find this one under a name.
  if (told->second.node.inode() == inode && told->second.looked_up != inode) return {};
  const bool of_attributes = told->second.of_attributes;
  if (of_attributes && told->second.looked_up != inode) return {};
  const bool soon = clock_.monotonic_ns() - told->second.at_ns < kRememberedNs;
  told_.erase(told);
  if (!soon) return {};
  auto found = recent_.find(inode);
  return {true, of_attributes, found == recent_.end() ? std::nullopt : std::optional(found->second)};
}

}  // namespace weir::vfs
