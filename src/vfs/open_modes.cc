#include "vfs/open_modes.h"

#include "base/check.h"

namespace weir::vfs {

OpenMode OpenModes::next(const Wish& wish) const {
  // While somebody sees the backing file, all others must too. A mapping that was left sees it as well, but beside open
  // descriptors that use the page cache the kernel takes nobody who does not.
  if (passing() || (wish.live && !cached())) return wish.writes ? OpenMode::kPassDirect : OpenMode::kPass;
  // The kernel takes a direct one before one that passes, and refuses it behind that.
  if (!wish.writes && wish.complete && !cached() && direct_unsettled_ == 0) return OpenMode::kPass;
  // Who cannot read cannot map either, and writes pass through the page cache for nothing.
  if (wish.writes && !wish.reads && wish.direct_writes) return OpenMode::kDirect;
  return OpenMode::kCached;
}

void OpenModes::opened(OpenMode mode) {
  ++count(mode);
  if (mode == OpenMode::kDirect) ++direct_unsettled_;
}

void OpenModes::settled(OpenMode mode) {
  if (mode != OpenMode::kDirect) return;
  CHECK(direct_unsettled_ > 0);
  --direct_unsettled_;
}

void OpenModes::closed(OpenMode mode) {
  CHECK(count(mode) > 0);
  const bool passed = passing();
  --count(mode);
  held_ = passed && direct_ > 0;
}

uint32_t& OpenModes::count(OpenMode mode) {
  switch (mode) {
    case OpenMode::kCached: return cached_;
    case OpenMode::kDirect: return direct_;
    case OpenMode::kPass: return pass_;
    case OpenMode::kPassDirect: return pass_direct_;
  }
  CHECK(false);
}

}  // namespace weir::vfs
