#include "vfs/told_names.h"

#include <algorithm>
#include <utility>

namespace weir::vfs {

namespace {

constexpr size_t kNamesOfInode = 8;

void erase_name(ToldNames::Told& told, size_t index) {
  told.names.erase(told.names.begin() + static_cast<ptrdiff_t>(index));
  told.times_ns.erase(told.times_ns.begin() + static_cast<ptrdiff_t>(index));
}

bool erase_name(ToldNames::Told& told, const meta::NamePlace& place) {
  const auto found = std::find(told.names.begin(), told.names.end(), place);
  if (found == told.names.end()) return false;
  erase_name(told, static_cast<size_t>(found - told.names.begin()));
  return true;
}

}  // namespace

void ToldNames::drop_old_names(Told& told) const {
  const int64_t oldest_ns = clock_.monotonic_ns() - 2 * lifetime_ns_;
  for (size_t i = told.names.size(); i-- > 0;)
    if (told.times_ns[i] < oldest_ns) erase_name(told, i);
}

bool ToldNames::add(Told& told, meta::NamePlace place) const {
  drop_old_names(told);
  erase_name(told, place);
  if (told.names.size() == kNamesOfInode) return false;
  told.names.push_back(std::move(place));
  told.times_ns.push_back(clock_.monotonic_ns());
  return true;
}

bool ToldNames::tell(InodeId inode, uint64_t generation, InodeId parent, std::string_view name) {
  bool is_kept = false;
  told_.note(inode, [&](Told& told) {
    const int64_t now_ns = clock_.monotonic_ns();
    if (told.at_ns != 0 && told.generation != generation) told.mixed_ns = now_ns;
    told.at_ns = now_ns;
    told.generation = std::max(told.generation, generation);
    is_kept = add(told, {parent, std::string(name)});
  });
  return is_kept;
}

std::optional<ToldNames::Told> ToldNames::of(InodeId inode, const Caller& caller) const {
  std::optional<Told> told = told_.of(inode);
  if (!told) return std::nullopt;
  const int64_t now_ns = clock_.monotonic_ns();
  drop_old_names(*told);
  for (Told::Left& left : std::exchange(told->left, {})) {
    const bool own = left.thread == caller.pid && caller.pid != 0;
    // The program that moved it has to run before the kernel takes the answer, and until then the old name holds.
    if (own || now_ns - left.at_ns >= lifetime_ns_) continue;
    told->names.push_back(std::move(left.place));
    told->times_ns.push_back(left.at_ns);
  }
  // As long as what it was told before holds, if nobody has taken the answer yet.
  if (told->mixed_ns != 0 && now_ns - told->mixed_ns < lifetime_ns_) told->generation = 0;
  return told;
}

bool ToldNames::leave(const Caller& caller, Told& told, const meta::NamePlace& place) const {
  if (!erase_name(told, place)) return false;
  if (told.left.size() == kNamesOfInode) told.left.erase(told.left.begin());
  told.left.push_back({place, caller.pid, clock_.monotonic_ns()});
  return true;
}

void ToldNames::forget(const Caller& caller, InodeId inode, const meta::NamePlace& place) {
  told_.change(inode, [&](Told& told) { leave(caller, told, place); });
}

void ToldNames::moved(const Caller& caller, InodeId inode, const meta::NamePlace& from, const meta::NamePlace& to) {
  told_.change(inode, [&](Told& told) {
    if (leave(caller, told, from)) add(told, to);
  });
}

void ToldNames::changed_here(InodeId inode, uint64_t before, uint64_t after) {
  told_.change(inode, [&](Told& told) {
    if (told.generation == before) told.generation = after;
  });
}

}  // namespace weir::vfs
