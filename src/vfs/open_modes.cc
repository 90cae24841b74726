#include "vfs/open_modes.h"

#include "base/check.h"

namespace weir::vfs {

OpenMode OpenModes::next(const Wish& wish) const {
  // While somebody sees the backing file, all others must too. A mapping that was left sees it as well, but beside open
  // descriptors that use the page cache the kernel takes nobody who does not.
  if (passing() || (wish.live && !cached())) return wish.writes ? OpenMode::kPassDirect : OpenMode::kPass;
  if (!wish.writes && wish.complete && !cached()) return OpenMode::kPass;
  // Who cannot read cannot map either, and writes pass through the page cache for nothing.
  if (wish.writes && !wish.reads && wish.direct_writes) return OpenMode::kDirect;
  return OpenMode::kCached;
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
