#include "meta/removal.h"

#include <algorithm>

#include "base/check.h"
#include "base/limits.h"
#include "meta/attributes.h"
#include "meta/entries.h"
#include "meta/keys.h"
#include "meta/parent.h"

namespace weir::meta {

namespace {

/// Calls `visit` for each row of the range, in batches.
Status for_each_row(kv::Transaction& transaction, kv::KeyRange range,
                    const std::function<void(const kv::KeyValue&)>& visit) {
  for (;;) {
    ASSIGN_OR_RETURN(auto rows, transaction.scan(range, limits::kScanRows));
    for (const kv::KeyValue& row : rows) visit(row);
    if (rows.size() < limits::kScanRows) return {};
    range = keys::behind(range, rows.back().key);
  }
}

/// Adds what of `range` is behind `rows`, which a scan of kScanRows from its beginning gave.
Status scan_rest(kv::Transaction& transaction, const kv::KeyRange& range, std::vector<kv::KeyValue>& rows) {
  for (size_t added = rows.size(); added == limits::kScanRows;) {
    ASSIGN_OR_RETURN(auto more, transaction.scan(keys::behind(range, rows.back().key), limits::kScanRows));
    added = more.size();
    std::move(more.begin(), more.end(), std::back_inserter(rows));
  }
  return {};
}

/// An inode without names: stays as an orphan while it is open here, goes otherwise.
Result<Removed> drop_last_name(Volume& volume, kv::Transaction& transaction, Inode inode, const IsOpen& is_open) {
  Removed removed{std::move(inode), false};
  removed.inode.link_count = 0;
  if (is_open && is_open(removed.inode.id)) {
    transaction.put(keys::inode(removed.inode.id), removed.inode.encode());
    transaction.put(keys::orphan(volume.node(), removed.inode.id), MarkRow().encode());
    return removed;
  }
  removed.gone = true;
  TRY(erase_inode(volume, transaction, removed.inode));
  return removed;
}

}  // namespace

Result<Removed> drop_link(Volume& volume, Attempt& attempt, Inode inode, const IsOpen& is_open, int64_t now_ns) {
  CHECK(inode.type != FileType::kDirectory);
  inode.ctime_ns = now_ns;
  if (inode.link_count > 1) {
    --inode.link_count;
    attempt.transaction.put(keys::inode(inode.id), inode.encode());
    return Removed{std::move(inode), false};
  }
  return drop_last_name(volume, attempt.transaction, std::move(inode), is_open);
}

Result<Removed> drop_directory(Volume& volume, Attempt& attempt, InodeId directory, const IsOpen& is_open,
                               int64_t now_ns) {
  kv::Transaction& transaction = attempt.transaction;
  TRY(transaction.fence(keys::inode(directory)));
  // Through the transaction that has the fence, which keeps a connection of an engine that has few.
  kv::ReadBatch batch;
  batch.keys = {keys::inode(directory)};
  batch.scans = {{keys::entries_behind(directory, 0), limits::kScanRows}, scan_of_deltas(directory)};
  ASSIGN_OR_RETURN(const kv::ReadAnswer found, transaction.read(batch));
  if (!found.values[0]) return error(Code::kConflict, "directory {} was just removed", directory.value);
  ASSIGN_OR_RETURN(Inode inode, Inode::decode(directory, found.values[0]->bytes));
  ASSIGN_OR_RETURN(bool empty, directory_is_empty(transaction, directory, found.scans[0]));
  if (!empty) return error(Code::kNotEmpty, "directory {} is not empty", directory.value);
  std::vector<kv::KeyValue> deltas = found.scans[1];
  TRY(scan_rest(transaction, keys::deltas_of(directory), deltas));
  for (const kv::KeyValue& row : deltas) transaction.erase(row.key);
  ASSIGN_OR_RETURN(inode, fold_rows(std::move(inode), deltas));
  inode.ctime_ns = now_ns;
  inode.size = 0;
  return drop_last_name(volume, transaction, std::move(inode), is_open);
}

Status erase_inode(Volume& volume, kv::Transaction& transaction, const Inode& inode) {
  transaction.erase(keys::inode(inode.id));
  if (inode.has_xattrs) {
    TRY(for_each_row(transaction, keys::xattrs_of(inode.id),
                     [&](const kv::KeyValue& row) { transaction.erase(row.key); }));
  }
  return queue_content(volume, transaction, whole_content(inode));
}

QueueRow whole_content(const Inode& inode) {
  QueueRow row;
  row.inode = inode.id;
  row.generation = inode.generation;
  for (const ChunkId& chunk : inode.content.chunks)
    if (!chunk.is_zero()) row.references.push_back(chunk);
  std::sort(row.references.begin(), row.references.end());
  row.references.erase(std::unique(row.references.begin(), row.references.end()), row.references.end());
  for (PageId page : inode.content.pages)
    if (page.value != 0) row.pages.push_back(page);
  return row;
}

uint64_t due_ms(Volume& volume, bool at_once) {
  int64_t now_ms = volume.clock().realtime_ns() / 1'000'000;
  return static_cast<uint64_t>(std::max<int64_t>(0, now_ms + (at_once ? 0 : volume.settings().grace_ms)));
}

Status queue_content(Volume& volume, kv::Transaction& transaction, const QueueRow& row, bool at_once) {
  if (row.references.empty() && row.pages.empty()) return {};
  ASSIGN_OR_RETURN(uint64_t serial, volume.new_serial());
  transaction.put(keys::queue(keys::QueueClass::kContent, due_ms(volume, at_once), serial), row.encode());
  return {};
}

Bytes encode_reply(const Removed& removed) {
  Encoder encoder;
  encoder.u64(removed.inode.id.value).u8(removed.gone ? 1 : 0);
  return std::move(encoder).take();
}

Result<Removed> rebuild_removed(Volume& volume, Decoder& reply) {
  Removed removed;
  removed.inode.id.value = reply.u64();
  removed.gone = reply.u8() != 0;
  TRY(reply.finish("recorded reply"));
  if (!removed.gone) {
    auto inode = get_inode(volume, removed.inode.id);
    if (inode) return Removed{std::move(*inode), false};
    if (inode.error().code != Code::kNotFound) return Failure(inode.error());
    removed.gone = true;
  }
  removed.inode.link_count = 0;
  return removed;
}

}  // namespace weir::meta
