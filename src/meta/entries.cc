#include "meta/entries.h"

#include "base/check.h"
#include "base/limits.h"
#include "meta/keys.h"

namespace weir::meta {

Status check_name(std::string_view name) {
  if (name.size() > limits::kNameBytes)
    return error(Code::kNameTooLong, "the name '{}…' has {} bytes, more than {}", name.substr(0, 32), name.size(),
                 limits::kNameBytes);
  if (name.empty() || name == "." || name == ".." || name.find('/') != name.npos || name.find('\0') != name.npos)
    return error(Code::kInvalid, "'{}' cannot be the name of a file", name);
  return {};
}

Bytes first_entry_key(const Volume& volume, InodeId directory, std::string_view name) {
  return keys::entry(directory, volume.name_hash(name));
}

Result<EntryPlace> find_entry(const Volume& volume, kv::Transaction& transaction, InodeId directory,
                              std::string_view name, const std::optional<kv::Value>& first) {
  std::optional<EntryPlace> free;
  std::vector<std::pair<uint64_t, Dentry>> passed;  // rows that did not continue: no name of this hash is behind them
  std::optional<kv::Value> later;
  const std::optional<kv::Value>* value = &first;
  uint64_t cookie = volume.name_hash(name);
  for (uint64_t probe = 0; probe < limits::kNameProbes; ++probe) {
    if (!*value) {
      if (free) return std::move(*free);
      return EntryPlace{cookie, std::nullopt, false, std::move(passed)};
    }
    ASSIGN_OR_RETURN(Dentry dentry, Dentry::decode((*value)->bytes));
    if (dentry.inode.value != 0 && dentry.name == name) return EntryPlace{cookie, dentry, dentry.continues, {}};
    if (dentry.inode.value == 0 && !free) free = EntryPlace{cookie, std::nullopt, dentry.continues, passed};
    if (free && (!dentry.continues || !passed.empty())) return std::move(*free);
    if (!dentry.continues) passed.emplace_back(cookie, std::move(dentry));
    ASSIGN_OR_RETURN(later, transaction.get(keys::entry(directory, ++cookie)));
    value = &later;
  }
  return error(Code::kNoSpace, "more than {} names of directory {} collide with '{}'", limits::kNameProbes,
               directory.value, name);
}

kv::ReadBatch::Link entry_link(size_t place) {
  return {place, Dentry::kInodeOffset, Dentry::kInodeBytes, Bytes(1, keys::kInode)};
}

Result<std::optional<kv::Value>> read_entry_inode(const Volume& volume, kv::Transaction& transaction,
                                                  const EntryPlace& place, const std::optional<kv::Value>& linked) {
  CHECK(place.entry);
  if (place.cookie == volume.name_hash(place.entry->name)) return linked;
  return transaction.get(keys::inode(place.entry->inode));
}

void put_entry(kv::Transaction& transaction, InodeId directory, const EntryPlace& place, std::string_view name,
               InodeId inode, FileType type) {
  CHECK(!place.entry);
  for (const auto& [cookie, row] : place.passed) {
    Dentry continuing = row;
    continuing.continues = true;
    transaction.put(keys::entry(directory, cookie), continuing.encode());
  }
  Dentry dentry{inode, type, std::string(name), place.continues};
  transaction.put(keys::entry(directory, place.cookie), dentry.encode());
}

void replace_entry(kv::Transaction& transaction, InodeId directory, const EntryPlace& place, InodeId inode,
                   FileType type) {
  CHECK(place.entry);
  Dentry dentry{inode, type, place.entry->name, place.continues};
  transaction.put(keys::entry(directory, place.cookie), dentry.encode());
}

void erase_entry(kv::Transaction& transaction, InodeId directory, const EntryPlace& place) {
  CHECK(place.entry);
  if (place.continues) {
    transaction.put(keys::entry(directory, place.cookie), Dentry{InodeId{0}, FileType::kFile, {}, true}.encode());
  } else {
    transaction.erase(keys::entry(directory, place.cookie));
  }
}

Result<bool> directory_is_empty(kv::Transaction& transaction, InodeId directory, std::vector<kv::KeyValue> rows) {
  const kv::KeyRange range = keys::entries_behind(directory, 0);
  for (;;) {
    for (const kv::KeyValue& row : rows) {
      ASSIGN_OR_RETURN(Dentry dentry, Dentry::decode(row.bytes));
      if (dentry.inode.value != 0) return false;
      transaction.erase(row.key);
    }
    if (rows.size() < limits::kScanRows) return true;
    ASSIGN_OR_RETURN(rows, transaction.scan(keys::behind(range, rows.back().key), limits::kScanRows));
  }
}

}  // namespace weir::meta
