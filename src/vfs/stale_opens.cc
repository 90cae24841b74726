#include "vfs/stale_opens.h"

#include <algorithm>
#include <utility>

namespace weir::vfs {

namespace {

// Whoever looks a name up again may wait for directories, and for the metadata server.
constexpr int64_t kRememberedNs = 10'000'000'000;
constexpr size_t kThreads = 4096;

bool is(const meta::NamePlace& place, InodeId parent, std::string_view name) {
  return place.parent == parent && place.name == name;
}

}  // namespace

bool StaleOpens::tell(const Caller& caller, KernelNode node) {
  const int64_t now_ns = clock_.monotonic_ns();
  MutexLock lock(mutex_);
  if (auto found = told_.find(caller.pid); found != told_.end()) {
    Told& told = found->second;
    const bool again = told.node == node && !told.of_attributes && !told.looks_up &&
                       (told.request != 0 ? told.request == caller.unique : now_ns - told.at_ns < kRememberedNs);
    if (again) {
      end(found, caller);
      return false;
    }
    told_.erase(found);
  }
  make_room();
  told_[caller.pid] = {.node = node, .at_ns = now_ns};
  any_ = true;
  return true;
}

void StaleOpens::end(std::unordered_map<uint32_t, Told>::iterator told, const Caller& caller) {
  told->second.request = caller.unique;
  if (caller.unique == 0) told_.erase(told);
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
    ToldOfName& of_name = told->second;
    const bool again =
        is(of_name.place, parent, name) &&
        (of_name.request != 0 ? of_name.request == caller.unique : now_ns - of_name.at_ns < kRememberedNs);
    of_name.request = caller.unique;
    if (!again || caller.unique == 0) told_of_names_.erase(told);
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
  told_[caller.pid] = {.node = node, .at_ns = clock_.monotonic_ns(), .of_attributes = true, .in_doubt = true};
  any_ = true;
}

void StaleOpens::asks_attributes(const Caller& caller, InodeId inode) {
  if (!any_) return;
  MutexLock lock(mutex_);
  auto found = told_.find(caller.pid);
  if (found == told_.end() || !found->second.in_doubt || !found->second.inode) return;
  Told& told = found->second;
  // Those of a directory on the way are asked for as often as the kernel likes.
  if (told.inode->id != inode || told.inode->type == FileType::kDirectory || told.request != 0) return;
  const bool is_done_anew = caller.unique != 0 && told.asked == caller.unique;
  told.asked = caller.unique;
  if (!is_done_anew && std::exchange(told.has_asked, true)) told_.erase(found);
}

void StaleOpens::doubt(InodeId inode) {
  const int64_t now_ns = clock_.monotonic_ns();
  if (in_doubt_.size() >= kThreads) std::erase_if(in_doubt_, [&](const auto& each) { return each.second < now_ns; });
  if (in_doubt_.size() >= kThreads) in_doubt_.clear();
  in_doubt_[inode] = now_ns + kRememberedNs;
  in_doubt_until_ns_ = now_ns + kRememberedNs;
}

bool StaleOpens::is_in_doubt(InodeId inode) {
  const int64_t now_ns = clock_.monotonic_ns();
  if (now_ns >= in_doubt_until_ns_) return false;
  MutexLock lock(mutex_);
  const auto found = in_doubt_.find(inode);
  return found != in_doubt_.end() && now_ns < found->second;
}

void StaleOpens::looks_up(const Caller& caller, InodeId parent, std::string_view name) {
  if (!any_) return;
  MutexLock lock(mutex_);
  auto found = told_.find(caller.pid);
  if (found == told_.end()) return;
  Told& told = found->second;
  // A file is the end of a path: what is looked up by another name then is of a later call.
  const bool was_found = told.inode && told.inode->type == FileType::kFile && !is(told.place, parent, name);
  if (told.request == 0 && told.looks_up && !told.absent && !told.has_asked && !was_found) return;
  const int64_t since_ns = clock_.monotonic_ns() - std::max(told.at_ns, told.looked_up_ns);
  const bool another = told.absent && !is(*told.absent, parent, name);
  // Before it looks once more to create the name, it waits for all others who create something in that directory.
  if (told.request != 0 || another || was_found || told.has_asked || since_ns >= kRememberedNs) {
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
  if (found == told_.end() || !found->second.looks_up || found->second.request != 0) return false;
  Told& told = found->second;
  if (!inode && told.once_more) {
    // The call has come to its end.
    told_.erase(found);
    return true;
  }
  told.inode = inode;
  told.place = {parent, std::string(name)};
  told.looked_up_ns = clock_.monotonic_ns();
  told.in_doubt = told.in_doubt || told.once_more;
  if (!inode) told.absent = told.place;
  if (inode && told.in_doubt && inode->type != FileType::kDirectory) doubt(inode->id);
  return true;
}

std::optional<Inode> StaleOpens::goes_on_with(const Caller& caller, InodeId inode) {
  if (!any_) return std::nullopt;
  MutexLock lock(mutex_);
  const auto found = told_.find(caller.pid);
  if (found == told_.end() || found->second.request != 0) return std::nullopt;
  const Told& told = found->second;
  if (!told.inode || told.inode->id != inode) return std::nullopt;
  return clock_.monotonic_ns() - told.looked_up_ns < kRememberedNs ? told.inode : std::nullopt;
}

StaleOpens::ComesBack StaleOpens::comes_back(const Caller& caller, InodeId inode) {
  if (!any_) return {};
  MutexLock lock(mutex_);
  auto found = told_.find(caller.pid);
  if (found == told_.end() || !found->second.inode) return {};
  // By a descriptor, or in another call: the kernel opens what it found last.
  if (found->second.inode->id != inode) return {};
  const Told& told = found->second;
  const ComesBack back{true, told.inode, told.place};
  const int64_t since_ns = clock_.monotonic_ns() - told.looked_up_ns;
  const bool is_it = told.request != 0 ? told.request == caller.unique : since_ns < kRememberedNs;
  if (!is_it) {
    told_.erase(found);
    return {};
  }
  end(found, caller);
  return back;
}

}  // namespace weir::vfs
