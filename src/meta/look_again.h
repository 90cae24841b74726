#pragma once

#include <optional>
#include <string>
#include <vector>

#include "meta/volume.h"

namespace weir::meta {

struct NamePlace {
  InodeId parent;
  std::string name;
  bool operator==(const NamePlace&) const = default;
};

struct LookAgain {
  std::optional<Inode> inode;  // nothing: it is gone. A directory's deltas are not folded in
  std::vector<bool> leads;     // for each name, whether it stands for the inode
};

/// The inode as it is now, and whether names that stood for it still do. One round trip, unless names collide. Thread
/// rule and errors as in names.h.
Result<LookAgain> look_again(Volume& volume, InodeId inode, const std::vector<NamePlace>& names);

/// Inodes as they are now, nothing for those that are gone, in the order of `ids`. Directories' deltas are not folded
/// in. As above.
Result<std::vector<std::optional<Inode>>> get_inodes(Volume& volume, const std::vector<InodeId>& ids);

}  // namespace weir::meta
