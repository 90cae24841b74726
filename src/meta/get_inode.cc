#include "base/limits.h"
#include "meta/attributes.h"
#include "meta/keys.h"
#include "meta/parent.h"

namespace weir::meta {

Result<Inode> get_inode(Volume& volume, InodeId inode) {
  auto transaction = volume.engine().begin();
  if (!volume.engine().capabilities().shared) {
    ASSIGN_OR_RETURN(Inode row, read_inode(*transaction, inode));
    return fold_deltas(volume, std::move(row));
  }
  // Only directories have deltas, but to ask for none costs less than a second round trip.
  kv::ReadBatch batch;
  batch.keys = {keys::inode(inode)};
  batch.scans = {scan_of_deltas(inode)};
  RecentDirectories& recent = volume.recent_directories();
  const RecentDirectories::Ticket ticket = recent.begin_read(inode);
  ASSIGN_OR_RETURN(const kv::ReadAnswer found, transaction->read(batch));
  ASSIGN_OR_RETURN(Inode row, decode_inode(inode, found.values[0]));
  if (row.type == FileType::kDirectory && found.scans[0].size() < limits::kScanRows)
    recent.learned(inode, ticket, *found.values[0], found.scans[0]);
  return fold_deltas(volume, std::move(row), found.scans[0]);
}

std::optional<Inode> recent_directory(Volume& volume, InodeId directory) {
  return volume.recent_directories().known(directory);
}

}  // namespace weir::meta
