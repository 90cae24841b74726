#pragma once

#include <optional>
#include <string>
#include <vector>

#include "meta/volume.h"

namespace weir::meta {

struct DirectoryEntry {
  std::string name;
  uint64_t cookie = 0;  // pass it to go on behind this entry; stable while others come and go; >= 3
  FileType type = FileType::kFile;
  InodeId inode;
  std::optional<Inode> attributes;  // when asked for, and not removed meanwhile; directories with deltas folded in
};

/// Entries behind `cookie` (0: from the start; cookies 1 and 2 are kept for "." and "..", which are not returned), at
/// most `limit`, in the order of cookies. Fewer than `limit` means the end. Every entry that was there during the whole
/// of a walk is returned exactly once. Names whose hashes collide share no cookie.
Result<std::vector<DirectoryEntry>> read_directory(Volume& volume, InodeId directory, uint64_t cookie, size_t limit,
                                                   bool with_attributes);

}  // namespace weir::meta
