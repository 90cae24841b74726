#include "vfs/stale_opens.h"

#include <algorithm>

namespace weir::vfs {

namespace {

constexpr int64_t kRememberedNs = 1'000'000'000;
constexpr size_t kThreads = 4096;
// Between the answer to a look-up and what it was for there is nothing but the kernel.
constexpr int64_t kAtOnceNs = 100'000'000;

bool is(const meta::NamePlace& place, InodeId parent, std::string_view name) {
  return place.parent == parent && place.name == name;
}

}  // namespace

bool StaleOpens::tell(const Caller& caller, KernelNode node) {
  const int64_t now_ns = clock_.monotonic_ns();
  MutexLock lock(mutex_);
  if (auto told = told_.find(caller.pid); told != told_.end()) {
    const bool again = told->second.node == node && !told->second.of_attributes && !told->second.looks_up &&
                       now_ns - told->second.at_ns < kRememberedNs;
    told_.erase(told);
    if (again) return false;
  }
  make_room();
  told_[caller.pid] = {.node = node, .at_ns = now_ns};
  any_ = true;
  return true;
}

void StaleOpens::is_looked_up_for(const Caller& caller) {
  MutexLock lock(mutex_);
  make_room();
  told_[caller.pid] = {.node = {}, .at_ns = clock_.monotonic_ns()};
  any_ = true;
}

bool StaleOpens::tell_of_name(const Caller& caller, InodeId parent, std::string_view name) {
  const int64_t now_ns = clock_.monotonic_ns();
  MutexLock lock(mutex_);
  if (auto told = told_of_names_.find(caller.pid); told != told_of_names_.end()) {
    const bool again = is(told->second.place, parent, name) && now_ns - told->second.at_ns < kRememberedNs;
    told_of_names_.erase(told);
    if (again) return false;
  }
  if (told_of_names_.size() >= kThreads)
    std::erase_if(told_of_names_, [&](const auto& each) { return now_ns - each.second.at_ns >= kRememberedNs; });
  if (told_of_names_.size() >= kThreads) told_of_names_.clear();
  told_of_names_[caller.pid] = {{parent, std::string(name)}, now_ns};
  return true;
}

void StaleOpens::make_room() {
  if (told_.size() < kThreads) return;
  const int64_t oldest_ns = clock_.monotonic_ns() - 2 * kRememberedNs;
  std::erase_if(told_, [&](const auto& each) {
    return std::max(each.second.at_ns, each.second.looked_up_ns) < oldest_ns &&
           (each.second.inode || !each.second.looks_up);
  });
  // Who is forgotten is told once more.
  if (told_.size() >= kThreads) told_.clear();
}

void StaleOpens::told_of_attributes(const Caller& caller, KernelNode node) {
  MutexLock lock(mutex_);
  make_room();
  told_[caller.pid] = {.node = node, .at_ns = clock_.monotonic_ns(), .of_attributes = true};
  any_ = true;
}

void StaleOpens::looks_up(const Caller& caller, InodeId parent, std::string_view name) {
  if (!any_) return;
  MutexLock lock(mutex_);
  auto found = told_.find(caller.pid);
  if (found == told_.end()) return;
  Told& told = found->second;
  if (told.looks_up && !told.absent) return;
  const int64_t since_ns = clock_.monotonic_ns() - std::max(told.at_ns, told.looked_up_ns);
  const bool another = told.absent && !is(*told.absent, parent, name);
  // Before it looks once more to create the name, it waits for all others who create something in that directory.
  if (another || since_ns >= kRememberedNs) {
    told_.erase(found);
    return;
  }
  told.once_more = told.absent.has_value();
  told.looks_up = true;
  told.absent.reset();
}

bool StaleOpens::looked_up(const Caller& caller, InodeId parent, std::string_view name,
                           const std::optional<Inode>& inode) {
  if (!any_) return false;
  MutexLock lock(mutex_);
  auto found = told_.find(caller.pid);
  if (found == told_.end() || !found->second.looks_up) return false;
  Told& told = found->second;
  if (!inode && told.once_more) {
    // The call has come to its end.
    told_.erase(found);
    return true;
  }
  told.inode = inode;
  told.place = {parent, std::string(name)};
  told.looked_up_ns = clock_.monotonic_ns();
  if (!inode) told.absent = told.place;
  return true;
}

StaleOpens::ComesBack StaleOpens::comes_back(const Caller& caller, InodeId inode) {
  if (!any_) return {};
  MutexLock lock(mutex_);
  auto found = told_.find(caller.pid);
  if (found == told_.end() || !found->second.inode) return {};
  // By a descriptor, or in another call: the kernel opens what it found last.
  if (found->second.inode->id != inode) return {};
  const Told told = std::move(found->second);
  told_.erase(found);
  const int64_t since_ns = clock_.monotonic_ns() - told.looked_up_ns;
  if (since_ns >= (told.of_attributes ? kAtOnceNs : kRememberedNs)) return {};
  return {true, told.inode, told.place};
}

}  // namespace weir::vfs
