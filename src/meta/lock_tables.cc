#include "meta/lock_tables.h"

#include "base/limits.h"
#include "meta/keys.h"

namespace weir::meta {

namespace {

// Ends a transaction that would change nothing. Nobody sees it.
const Code kUnchanged = Code::kExists;

Result<std::optional<Inode>> decode_inode(InodeId id, const std::optional<kv::Value>& value) {
  if (!value) return std::nullopt;
  ASSIGN_OR_RETURN(Inode inode, Inode::decode(id, value->bytes));
  return inode;
}

std::vector<InodeId> numbers(const std::vector<kv::KeyValue>& rows, std::vector<InodeId> known) {
  for (const kv::KeyValue& row : rows) {
    auto parts = keys::parse_locks(row.key);
    if (parts && parts->part == 0) known.push_back(parts->inode);
  }
  return known;
}

Result<LockRow> read_one(Volume& volume, InodeId inode) {
  for (int look = 0; look < limits::kLockLooks; ++look) {
    auto transaction = volume.engine().begin();
    ASSIGN_OR_RETURN(auto first, transaction->get(keys::locks(inode, 0)));
    auto table = read_lock_table(*transaction, inode, first);
    if (table) return std::move(table->row);
    if (table.error().code != Code::kConflict) return Failure(table.error());
  }
  return error(Code::kUnavailable, "the locks of inode {} change too often to be read", inode.value);
}

}  // namespace

Result<LockTableRead> read_lock_table(kv::Transaction& transaction, InodeId inode,
                                      const std::optional<kv::Value>& first_part) {
  LockTableRead table;
  if (!first_part) return table;
  ASSIGN_OR_RETURN(table.parts, LockRow::count_parts(first_part->bytes));
  std::vector<Bytes> wanted;
  for (uint32_t part = 1; part < table.parts; ++part) wanted.push_back(keys::locks(inode, part));
  std::vector<std::optional<kv::Value>> rest;
  if (!wanted.empty()) {
    ASSIGN_OR_RETURN(rest, transaction.get_many(wanted));
  }
  std::vector<std::string_view> parts = {first_part->bytes};
  for (const auto& part : rest) {
    if (!part) return error(Code::kConflict, "a part of the locks of inode {} has just gone", inode.value);
    parts.emplace_back(part->bytes);
  }
  auto row = LockRow::decode(parts);
  if (!row) return error(row.error().code, "the locks of inode {}: {}", inode.value, row.error().what);
  table.row = std::move(*row);
  return table;
}

void write_lock_table(Volume& volume, kv::Transaction& transaction, InodeId inode, const LockTableRead& before,
                      const LockRow& row) {
  const std::vector<Bytes> parts = row.encode(volume.random().next_u64());
  for (uint32_t part = 0; part < parts.size(); ++part) transaction.put(keys::locks(inode, part), parts[part]);
  for (auto part = static_cast<uint32_t>(parts.size()); part < before.parts; ++part)
    transaction.erase(keys::locks(inode, part));
}

Status change_locks(Volume& volume, InodeId inode, bool with_inode, const ChangeLocks& change) {
  std::vector<Bytes> wanted = {keys::locks(inode, 0)};
  if (with_inode) wanted.push_back(keys::inode(inode));
  bool unchanged = false;
  auto done = run_transaction(volume, {}, [&](Attempt& attempt) -> Status {
    unchanged = false;
    ASSIGN_OR_RETURN(auto values, attempt.transaction.get_many(wanted));
    ASSIGN_OR_RETURN(LockTableRead table, read_lock_table(attempt.transaction, inode, values[0]));
    std::optional<Inode> of;
    if (with_inode) {
      ASSIGN_OR_RETURN(of, decode_inode(inode, values[1]));
    }
    LockRow row = table.row;
    TRY(change({row, of, attempt.epoch}));
    unchanged = row.held == table.row.held && row.waiting == table.row.waiting;
    if (unchanged) return error(kUnchanged, "nothing is to be changed");
    write_lock_table(volume, attempt.transaction, inode, table, row);
    return {};
  });
  if (!done && !unchanged) return Failure(done.error());
  return {};
}

std::vector<LockGrant> grants_of(InodeId inode, const std::vector<LockWaiter>& waiters) {
  std::vector<LockGrant> grants;
  grants.reserve(waiters.size());
  for (const LockWaiter& one : waiters) grants.push_back({inode, one.wanted.node, one.request});
  return grants;
}

Result<std::vector<LockRow>> lock_rows(Volume& volume, const std::vector<InodeId>& inodes) {
  std::vector<Bytes> wanted;
  wanted.reserve(inodes.size());
  for (InodeId inode : inodes) wanted.push_back(keys::locks(inode, 0));
  auto transaction = volume.engine().begin();
  ASSIGN_OR_RETURN(auto values, transaction->get_many(wanted));
  std::vector<LockRow> rows;
  for (size_t i = 0; i < inodes.size(); ++i) {
    auto table = read_lock_table(*transaction, inodes[i], values[i]);
    if (!table && table.error().code != Code::kConflict) return Failure(table.error());
    if (table) {
      rows.push_back(std::move(table->row));
      continue;
    }
    ASSIGN_OR_RETURN(LockRow row, read_one(volume, inodes[i]));
    rows.push_back(std::move(row));
  }
  return rows;
}

Result<std::vector<std::pair<InodeId, LockRow>>> all_lock_rows(Volume& volume) {
  std::vector<InodeId> inodes;
  kv::KeyRange range = keys::all_of(keys::kLocks);
  for (bool more = true; more;) {
    ASSIGN_OR_RETURN(auto rows, volume.engine().begin()->scan(range, limits::kScanRows));
    inodes = numbers(rows, std::move(inodes));
    more = rows.size() == limits::kScanRows;
    if (more) range = keys::behind(range, rows.back().key);
  }
  std::vector<std::pair<InodeId, LockRow>> all;
  for (size_t begin = 0; begin < inodes.size(); begin += limits::kScanRows) {
    const std::vector<InodeId> some(
        inodes.begin() + static_cast<std::ptrdiff_t>(begin),
        inodes.begin() + static_cast<std::ptrdiff_t>(std::min(inodes.size(), begin + limits::kScanRows)));
    ASSIGN_OR_RETURN(auto rows, lock_rows(volume, some));
    for (size_t i = 0; i < some.size(); ++i)
      if (!rows[i].empty()) all.emplace_back(some[i], std::move(rows[i]));
  }
  return all;
}

}  // namespace weir::meta
