#include "vfs/tree.h"

#include "meta/attributes.h"
#include "meta/directory.h"

namespace weir::vfs {

namespace {

constexpr size_t kBatch = 256;

using Visit = std::function<bool(const Inode&, const std::string&)>;

/// False: stopped by `visit`.
Result<bool> visit_directory(Core& core, InodeId directory, const std::string& path, const Visit& visit) {
  for (uint64_t cookie = 0;;) {
    ASSIGN_OR_RETURN(auto entries, meta::read_directory(core.volume, directory, cookie, kBatch, true));
    for (const meta::DirectoryEntry& entry : entries) {
      cookie = entry.cookie;
      if (!entry.attributes) continue;
      std::string below = path.empty() ? entry.name : path + "/" + entry.name;
      if (entry.type == FileType::kFile && !visit(*entry.attributes, below)) return false;
      if (entry.type != FileType::kDirectory) continue;
      ASSIGN_OR_RETURN(bool more, visit_directory(core, entry.inode, below, visit));
      if (!more) return false;
    }
    if (entries.size() < kBatch) return true;
  }
}

}  // namespace

Status visit_files(Core& core, InodeId inode, const Visit& visit) {
  ASSIGN_OR_RETURN(Inode top, meta::get_inode(core.volume, inode));
  if (top.type == FileType::kFile) visit(top, "");
  if (top.type != FileType::kDirectory) return {};
  ASSIGN_OR_RETURN(bool finished, visit_directory(core, inode, "", visit));
  (void)finished;
  return {};
}

}  // namespace weir::vfs
