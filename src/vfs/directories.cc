// Reading directories.
#include "meta/attributes.h"
#include "meta/directory.h"
#include "vfs/core.h"
#include "vfs/filesystem.h"

namespace weir::vfs {

namespace {

constexpr uint64_t kDotCookie = 1;
constexpr uint64_t kDotDotCookie = 2;
constexpr size_t kBatchEntries = 256;
// With attributes about as many as fit the kernel's buffer of one page.
constexpr size_t kBatchEntriesPlus = 32;

/// A directory that was removed while it is open is empty.
Result<std::vector<meta::DirectoryEntry>> read_batch(Core& core, InodeId directory, uint64_t cookie, size_t limit,
                                                     bool plus) {
  auto entries = meta::read_directory(core.volume, directory, cookie, limit, plus);
  if (!entries && entries.error().code == Code::kNotFound) return std::vector<meta::DirectoryEntry>();
  return entries;
}

}  // namespace

Status Filesystem::read_directory(KernelNode node, uint64_t cookie, bool plus,
                                  const std::function<bool(const DirectoryItem&)>& take) {
  const InodeId directory = node.inode();
  if (cookie < kDotCookie) {
    cookie = kDotCookie;
    if (!take({".", cookie, FileType::kDirectory, directory, std::nullopt})) return {};
  }
  if (cookie < kDotDotCookie) {
    auto inode = meta::get_inode(core_->volume, directory);
    InodeId parent = inode ? inode->parent : directory;
    cookie = kDotDotCookie;
    if (!take({"..", cookie, FileType::kDirectory, parent, std::nullopt})) return {};
  }
  const size_t batch = plus ? kBatchEntriesPlus : kBatchEntries;
  while (true) {
    const uint64_t begun = core_->publications;
    ASSIGN_OR_RETURN(auto entries, read_batch(*core_, directory, cookie, batch, plus));
    for (const meta::DirectoryEntry& entry : entries) {
      DirectoryItem item{entry.name, entry.cookie, entry.type, entry.inode, std::nullopt};
      if (entry.attributes) item.entry = core_->entry_of(*entry.attributes, begun, directory, entry.name);
      if (!take(item)) return {};
      cookie = entry.cookie;
    }
    if (entries.size() < batch) return {};
  }
}

Status Filesystem::sync_directory() { return core_->volume.engine().barrier(); }

}  // namespace weir::vfs
