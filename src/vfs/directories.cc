// Reading directories.
#include "meta/attributes.h"
#include "vfs/core.h"
#include "vfs/filesystem.h"

namespace weir::vfs {

namespace {

constexpr uint64_t kDotCookie = 1;
constexpr uint64_t kDotDotCookie = 2;
constexpr size_t kBatchEntries = 256;
// With attributes about as many as fit the kernel's buffer of one page. What is left over is not kept: the kernel would
// take attributes that were read before its request for current ones.
constexpr size_t kBatchEntriesPlus = 32;

/// A directory that was removed while it is open is empty.
Result<std::vector<meta::DirectoryEntry>> read_batch(Core& core, InodeId directory, uint64_t cookie, size_t limit,
                                                     bool plus) {
  auto entries = meta::read_directory(core.volume, directory, cookie, limit, plus);
  if (!entries && entries.error().code == Code::kNotFound) return std::vector<meta::DirectoryEntry>();
  return entries;
}

}  // namespace

Result<HandleId> Filesystem::open_directory(const Caller& caller, KernelNode node) {
  if (auto before = core_->directories.of_request(caller.unique)) return *before;
  ASSIGN_OR_RETURN(Inode inode, meta::get_inode(core_->volume, node.inode()));
  if (inode.type != FileType::kDirectory)
    return error(Code::kNotDirectory, "inode {} is not a directory", inode.id.value);
  auto handle = std::make_shared<DirectoryHandle>();
  handle->inode = inode.id;
  return core_->directories.add(std::move(handle), {inode.id.value, 0, 1, 0, 0, caller.unique});
}

Status Filesystem::read_directory(HandleId id, uint64_t cookie, bool plus,
                                  const std::function<bool(const DirectoryItem&)>& take) {
  ASSIGN_OR_RETURN(auto handle, core_->directories.find(id));
  if (cookie < kDotCookie) {
    cookie = kDotCookie;
    if (!take({".", cookie, FileType::kDirectory, handle->inode, std::nullopt})) return {};
  }
  if (cookie < kDotDotCookie) {
    auto inode = meta::get_inode(core_->volume, handle->inode);
    InodeId parent = inode ? inode->parent : handle->inode;
    cookie = kDotDotCookie;
    if (!take({"..", cookie, FileType::kDirectory, parent, std::nullopt})) return {};
  }
  if (plus) return read_plus(*handle, cookie, take);
  MutexLock lock(handle->mutex);
  while (true) {
    if (handle->batch_cookie != cookie || handle->batch.empty()) {
      ASSIGN_OR_RETURN(auto entries, read_batch(*core_, handle->inode, cookie, kBatchEntries, false));
      handle->batch_last = entries.size() < kBatchEntries;
      handle->batch.assign(std::make_move_iterator(entries.begin()), std::make_move_iterator(entries.end()));
      handle->batch_cookie = cookie;
    }
    while (!handle->batch.empty()) {
      const meta::DirectoryEntry& entry = handle->batch.front();
      if (!take({entry.name, entry.cookie, entry.type, entry.inode, std::nullopt})) return {};
      cookie = handle->batch_cookie = entry.cookie;
      handle->batch.pop_front();
    }
    if (handle->batch_last) return {};
  }
}

Status Filesystem::read_plus(const DirectoryHandle& handle, uint64_t cookie,
                             const std::function<bool(const DirectoryItem&)>& take) {
  while (true) {
    const uint64_t begun = core_->publications;
    ASSIGN_OR_RETURN(auto entries, read_batch(*core_, handle.inode, cookie, kBatchEntriesPlus, true));
    for (const meta::DirectoryEntry& entry : entries) {
      DirectoryItem item{entry.name, entry.cookie, entry.type, entry.inode, std::nullopt};
      if (entry.attributes) item.entry = core_->entry_of(*entry.attributes, begun);
      if (!take(item)) return {};
      cookie = entry.cookie;
    }
    if (entries.size() < kBatchEntriesPlus) return {};
  }
}

void Filesystem::release_directory(HandleId id) { core_->directories.remove(id); }

Status Filesystem::sync_directory(HandleId id) {
  ASSIGN_OR_RETURN(auto handle, core_->directories.find(id));
  return core_->volume.engine().barrier();
}

}  // namespace weir::vfs
