#include "meta/directory.h"

#include <algorithm>

#include "base/limits.h"
#include "meta/keys.h"
#include "meta/parent.h"

namespace weir::meta {

namespace {

Status add_attributes(Volume& volume, kv::Transaction& transaction, std::vector<DirectoryEntry>& entries) {
  std::vector<Bytes> inode_keys;
  inode_keys.reserve(entries.size());
  for (const DirectoryEntry& entry : entries) inode_keys.push_back(keys::inode(entry.inode));
  if (inode_keys.empty()) return {};
  ASSIGN_OR_RETURN(auto values, transaction.get_many(inode_keys));
  std::vector<Inode*> inodes;
  for (size_t i = 0; i < entries.size(); ++i) {
    if (!values[i]) continue;
    ASSIGN_OR_RETURN(entries[i].attributes, Inode::decode(entries[i].inode, values[i]->bytes));
    inodes.push_back(&*entries[i].attributes);
  }
  return fold_all_deltas(volume, inodes);
}

}  // namespace

Result<std::vector<DirectoryEntry>> read_directory(Volume& volume, InodeId directory, uint64_t cookie, size_t limit,
                                                   bool with_attributes) {
  auto transaction = volume.engine().begin();
  std::vector<DirectoryEntry> entries;
  kv::KeyRange range = keys::entries_behind(directory, cookie);
  while (entries.size() < limit) {
    const size_t wanted = std::min(limit - entries.size(), limits::kScanRows);
    ASSIGN_OR_RETURN(auto rows, transaction->scan(range, wanted));
    for (const kv::KeyValue& row : rows) {
      ASSIGN_OR_RETURN(keys::PairKey parts, keys::parse_pair(row.key));
      ASSIGN_OR_RETURN(Dentry dentry, Dentry::decode(row.bytes));
      if (dentry.inode.value == 0) continue;
      entries.push_back({std::move(dentry.name), parts.second, dentry.type, dentry.inode, std::nullopt});
    }
    if (rows.size() < wanted) break;
    range = keys::behind(range, rows.back().key);
  }
  if (entries.empty()) {
    ASSIGN_OR_RETURN(Inode inode, read_inode(*transaction, directory));
    if (inode.type != FileType::kDirectory)
      return error(Code::kNotDirectory, "inode {} is not a directory", directory.value);
  }
  if (with_attributes) TRY(add_attributes(volume, *transaction, entries));
  return entries;
}

}  // namespace weir::meta
