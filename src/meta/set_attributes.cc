#include <algorithm>

#include "base/limits.h"
#include "meta/acl.h"
#include "meta/change_attributes.h"
#include "meta/keys.h"
#include "meta/parent.h"
#include "meta/rows.h"

namespace weir::meta {

namespace {

/// chmod of a file with an access ACL changes the list's owner, mask (or group) and others entries.
Status change_acl(kv::Transaction& transaction, const Inode& inode) {
  const Bytes key = keys::xattr(inode.id, kAccessAcl);
  ASSIGN_OR_RETURN(auto value, transaction.get(key));
  if (!value) return {};
  ASSIGN_OR_RETURN(XattrRow row, XattrRow::decode(value->bytes));
  ASSIGN_OR_RETURN(Acl acl, Acl::parse(row.value));
  if (acl.empty()) return {};
  acl.apply_mode(inode.mode);
  transaction.put(key, XattrRow{acl.encode()}.encode());
  return {};
}

/// The deltas' times are older than a time set by hand and must not hide it any more. Whoever adds a delta validates
/// the directory's inode, which this transaction writes.
Status forget_delta_times(kv::Transaction& transaction, InodeId directory) {
  kv::KeyRange range = keys::deltas_of(directory);
  for (;;) {
    ASSIGN_OR_RETURN(auto rows, transaction.scan(range, limits::kScanRows));
    std::vector<Bytes> delta_keys;
    for (kv::KeyValue& row : rows) delta_keys.push_back(row.key);
    if (!delta_keys.empty()) {
      ASSIGN_OR_RETURN(auto values, transaction.get_many(delta_keys));  // again, because scans are not validated
      for (size_t i = 0; i < values.size(); ++i) {
        if (!values[i]) return error(Code::kConflict, "directory {} was just changed", directory.value);
        ASSIGN_OR_RETURN(DirectoryDelta delta, DirectoryDelta::decode(values[i]->bytes));
        if (delta.mtime_ns == 0) continue;
        delta.mtime_ns = 0;
        transaction.put(delta_keys[i], delta.encode());
      }
    }
    if (rows.size() < limits::kScanRows) return {};
    range = keys::behind(range, rows.back().key);
  }
}

}  // namespace

Status change_attributes(kv::Transaction& transaction, Inode& inode, const AttributeChange& change, int64_t now_ns) {
  if (change.uid) inode.uid = *change.uid;
  if (change.gid) inode.gid = *change.gid;
  if (change.atime_ns) inode.atime_ns = *change.atime_ns;
  if (change.mtime_ns) inode.mtime_ns = *change.mtime_ns;
  inode.ctime_ns = change.ctime_ns.value_or(now_ns);
  if (change.mode) {
    inode.mode = *change.mode & 07777;
    if (inode.has_xattrs) TRY(change_acl(transaction, inode));
  }
  return {};
}

Result<Inode> set_attributes(Volume& volume, RequestId request, InodeId inode, const AttributeChange& change) {
  Inode changed;
  ASSIGN_OR_RETURN(auto earlier, run_transaction(volume, request, [&](Attempt& attempt) -> Status {
                     kv::ReadBatch batch;
                     batch.keys = {keys::inode(inode)};
                     ASSIGN_OR_RETURN(const kv::ReadAnswer found, attempt.read(batch));
                     ASSIGN_OR_RETURN(Inode row, decode_inode(inode, found.values[0]));
                     const bool resets_times = row.type == FileType::kDirectory && change.mtime_ns;
                     ASSIGN_OR_RETURN(changed, fold_deltas(volume, row));
                     TRY(change_attributes(attempt.transaction, row, change, volume.clock().realtime_ns()));
                     if (resets_times) TRY(forget_delta_times(attempt.transaction, inode));
                     attempt.transaction.put(keys::inode(inode), row.encode());

                     // What the deltas say of counts stays, and of times unless they were set by hand.
                     const int64_t folded_mtime_ns = changed.mtime_ns;
                     row.size = changed.size;
                     row.link_count = changed.link_count;
                     changed = std::move(row);
                     if (!change.mtime_ns) changed.mtime_ns = folded_mtime_ns;
                     return {};
                   }));
  if (!earlier) return changed;
  return get_inode(volume, inode);
}

}  // namespace weir::meta
