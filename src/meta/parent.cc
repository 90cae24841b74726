#include "meta/parent.h"

#include <algorithm>

#include "base/limits.h"
#include "meta/keys.h"
#include "meta/slot_pool.h"

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
  attempt.directories.push_back(inode_.id);
}

namespace {

/// The sum of a directory's deltas.
struct Sum {
  int64_t entries = 0;
  int64_t subdirectories = 0;
  int64_t mtime_ns = 0;

  Status add(std::string_view row) {
    ASSIGN_OR_RETURN(DirectoryDelta delta, DirectoryDelta::decode(row));
    entries += delta.entries;
    subdirectories += delta.subdirectories;
    mtime_ns = std::max(mtime_ns, delta.mtime_ns);
    return {};
  }
};

static_assert(limits::kSlots <= 8 * sizeof(DeltaSlots::Mask));

/// Adds up what a scan shows, and returns which slots had a row.
Result<DeltaSlots::Mask> scan_deltas(kv::Transaction& transaction, InodeId directory, Sum& sum) {
  DeltaSlots::Mask slots = 0;
  kv::KeyRange range = keys::deltas_of(directory);
  for (;;) {
    ASSIGN_OR_RETURN(auto rows, transaction.scan(range, limits::kScanRows));
    for (const kv::KeyValue& row : rows) {
      TRY(sum.add(row.bytes));
      ASSIGN_OR_RETURN(keys::DeltaKey key, keys::parse_delta(row.key));
      slots |= DeltaSlots::Mask{1} << key.slot % limits::kSlots;
    }
    if (rows.size() < limits::kScanRows) return slots;
    range = keys::behind(range, rows.back().key);
  }
}

Status read_deltas(kv::Transaction& transaction, NodeId node, InodeId directory, DeltaSlots::Mask slots, Sum& sum) {
  std::vector<Bytes> row_keys;
  for (uint32_t slot = 0; slot < limits::kSlots; ++slot)
    if ((slots >> slot & 1) != 0) row_keys.push_back(keys::delta(directory, node, slot));
  if (row_keys.empty()) return {};
  ASSIGN_OR_RETURN(auto values, transaction.get_many(row_keys));
  for (const auto& value : values)
    if (value) TRY(sum.add(value->bytes));
  return {};
}

Status sum_deltas(Volume& volume, InodeId directory, Sum& sum) {
  auto transaction = volume.engine().begin();
  DeltaSlots& known = volume.slots().deltas();
  if (volume.engine().capabilities().shared) {
    TRY(scan_deltas(*transaction, directory, sum));
    return {};
  }
  if (const auto slots = known.known(directory))
    return read_deltas(*transaction, volume.node(), directory, *slots, sum);
  const DeltaSlots::Ticket ticket = known.begin(directory);
  ASSIGN_OR_RETURN(const DeltaSlots::Mask slots, scan_deltas(*transaction, directory, sum));
  known.learned(directory, ticket, slots);
  return {};
}

bool has_deltas(const Inode& inode) { return inode.type == FileType::kDirectory && inode.link_count > 0; }

void add_sum(Inode& inode, const Sum& sum) {
  inode.size = static_cast<uint64_t>(std::max<int64_t>(0, sum.entries));
  inode.link_count += static_cast<uint32_t>(std::max<int64_t>(0, sum.subdirectories));
  if (sum.mtime_ns != 0) inode.mtime_ns = sum.mtime_ns;
  inode.ctime_ns = std::max(inode.ctime_ns, sum.mtime_ns);
}

}  // namespace

Result<Inode> fold_deltas(Volume& volume, Inode inode) {
  if (!has_deltas(inode)) return inode;
  Sum sum;
  TRY(sum_deltas(volume, inode.id, sum));
  add_sum(inode, sum);
  return inode;
}

kv::ReadBatch::Scan scan_of_deltas(InodeId directory) { return {keys::deltas_of(directory), limits::kScanRows}; }

Result<Inode> fold_deltas(Volume& volume, Inode inode, const std::vector<kv::KeyValue>& rows) {
  if (!has_deltas(inode)) return inode;
  if (rows.size() == limits::kScanRows) return fold_deltas(volume, std::move(inode));
  return fold_rows(std::move(inode), rows);
}

Result<Inode> fold_rows(Inode inode, const std::vector<kv::KeyValue>& rows) {
  Sum sum;
  for (const kv::KeyValue& row : rows) TRY(sum.add(row.bytes));
  add_sum(inode, sum);
  return inode;
}

Status fold_all_deltas(Volume& volume, const std::vector<Inode*>& inodes) {
  std::vector<Inode*> directories;
  for (Inode* inode : inodes)
    if (has_deltas(*inode)) directories.push_back(inode);
  if (!volume.engine().capabilities().shared) {
    for (Inode* directory : directories) {
      ASSIGN_OR_RETURN(*directory, fold_deltas(volume, std::move(*directory)));
    }
    return {};
  }
  for (size_t first = 0; first < directories.size(); first += limits::kScansAtOnce) {
    const size_t end = std::min(first + limits::kScansAtOnce, directories.size());
    kv::ReadBatch batch;
    for (size_t i = first; i < end; ++i) batch.scans.push_back(scan_of_deltas(directories[i]->id));
    ASSIGN_OR_RETURN(const kv::ReadAnswer answer, volume.engine().begin()->read(batch));
    for (size_t i = first; i < end; ++i) {
      ASSIGN_OR_RETURN(*directories[i], fold_deltas(volume, std::move(*directories[i]), answer.scans[i - first]));
    }
  }
  return {};
}

}  // namespace weir::meta
