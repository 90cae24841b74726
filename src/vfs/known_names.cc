#include "vfs/known_names.h"

namespace weir::vfs {

namespace {

// A rename looks its names up before it is sent to us.
constexpr int64_t kInUseNs = 1'000'000'000;

}  // namespace

std::string KnownNames::key_of(InodeId parent, std::string_view name) {
  std::string key(reinterpret_cast<const char*>(&parent.value), sizeof(parent.value));
  return key.append(name);
}

void KnownNames::tell(InodeId parent, std::string_view name, InodeId inode) { note(parent, name, inode, false); }

void KnownNames::put(InodeId parent, std::string_view name, InodeId inode) { note(parent, name, inode, true); }

void KnownNames::note(InodeId parent, std::string_view name, InodeId inode, bool by_kernel) {
  told_.note(key_of(parent, name), [&](Told& told) {
    const int64_t now_ns = clock_.monotonic_ns();
    if (by_kernel) {
      told.before.reset();
    } else if (told.inode != InodeId{} && now_ns - told.at_ns <= kept_ns_ && told.inode != inode) {
      told.before = told.inode;
      told.changed_ns = now_ns;
    }
    told.inode = inode;
    told.at_ns = now_ns;
  });
}

std::optional<KnownNames::Known> KnownNames::of(InodeId parent, std::string_view name) const {
  const std::optional<Told> told = told_.of(key_of(parent, name));
  const int64_t now_ns = clock_.monotonic_ns();
  if (!told || now_ns - told->at_ns > kept_ns_) return std::nullopt;
  return Known{told->inode, now_ns - told->changed_ns < kInUseNs ? told->before : std::nullopt};
}

void KnownNames::forget(InodeId parent, std::string_view name) { told_.forget(key_of(parent, name)); }

}  // namespace weir::vfs
