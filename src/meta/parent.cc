#include "meta/parent.h"

#include <algorithm>

#include "base/limits.h"
#include "meta/keys.h"

namespace weir::meta {

Result<Inode> decode_inode(InodeId id, const std::optional<kv::Value>& value) {
  if (!value) return error(Code::kNotFound, "inode {} does not exist", id.value);
  return Inode::decode(id, value->bytes);
}

Result<Inode> read_inode(kv::Transaction& transaction, InodeId id) {
  ASSIGN_OR_RETURN(auto value, transaction.get(keys::inode(id)));
  return decode_inode(id, value);
}

Bytes Parent::inode_key(InodeId directory) { return keys::inode(directory); }

Bytes Parent::delta_key(const Volume& volume, const Attempt& attempt, InodeId directory) {
  return keys::delta(directory, volume.node(), attempt.slot);
}

Result<Parent> Parent::decode(InodeId directory, const std::optional<kv::Value>& inode,
                              const std::optional<kv::Value>& delta) {
  Parent parent;
  ASSIGN_OR_RETURN(parent.inode_, decode_inode(directory, inode));
  if (parent.inode_.type != FileType::kDirectory)
    return error(Code::kNotDirectory, "inode {} is not a directory", directory.value);
  if (parent.inode_.link_count == 0) return error(Code::kNotFound, "directory {} was removed", directory.value);
  if (delta) {
    ASSIGN_OR_RETURN(parent.delta_, DirectoryDelta::decode(delta->bytes));
  }
  return parent;
}

Result<Parent> Parent::read(const Volume& volume, Attempt& attempt, InodeId directory) {
  ASSIGN_OR_RETURN(auto values,
                   attempt.transaction.get_many({inode_key(directory), delta_key(volume, attempt, directory)}));
  return decode(directory, values[0], values[1]);
}

void Parent::change(int64_t entries, int64_t subdirectories, int64_t now_ns) {
  delta_.entries += entries;
  delta_.subdirectories += subdirectories;
  delta_.mtime_ns = std::max(delta_.mtime_ns, now_ns);
}

void Parent::write(const Volume& volume, Attempt& attempt) const {
  attempt.transaction.put(delta_key(volume, attempt, inode_.id), delta_.encode());
}

Result<Inode> fold_deltas(kv::Transaction& transaction, Inode inode) {
  if (inode.type != FileType::kDirectory || inode.link_count == 0) return inode;
  int64_t entries = 0, subdirectories = 0, mtime_ns = 0;
  kv::KeyRange range = keys::deltas_of(inode.id);
  for (;;) {
    ASSIGN_OR_RETURN(auto rows, transaction.scan(range, limits::kScanRows));
    for (const kv::KeyValue& row : rows) {
      ASSIGN_OR_RETURN(DirectoryDelta delta, DirectoryDelta::decode(row.bytes));
      entries += delta.entries;
      subdirectories += delta.subdirectories;
      mtime_ns = std::max(mtime_ns, delta.mtime_ns);
    }
    if (rows.size() < limits::kScanRows) break;
    range = keys::behind(range, rows.back().key);
  }
  inode.size = static_cast<uint64_t>(std::max<int64_t>(0, entries));
  inode.link_count += static_cast<uint32_t>(std::max<int64_t>(0, subdirectories));
  if (mtime_ns != 0) inode.mtime_ns = mtime_ns;
  inode.ctime_ns = std::max(inode.ctime_ns, mtime_ns);
  return inode;
}

}  // namespace weir::meta
