#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "kv/engine.h"
#include "meta/volume.h"

/// Names of a directory as rows (docs/data-model.md, "Directory entries"): each lies at the place its hash says, or at
/// the next free one. Internal to this folder.
namespace weir::meta {

/// Length and characters of a name that an operation was given.
Status check_name(std::string_view name);

/// Where a name is, or would go.
struct EntryPlace {
  uint64_t cookie = 0;
  std::optional<Dentry> entry;                      // nothing: the name is free, and goes to `cookie`
  bool continues = false;                           // of the row that lies at `cookie` already
  std::vector<std::pair<uint64_t, Dentry>> passed;  // rows before `cookie` to be marked as continuing when it is filled
};

/// The first place to look at; find_entry() takes what was read there, so that callers can read it along with others.
Bytes first_entry_key(const Volume& volume, InodeId directory, std::string_view name);
Result<EntryPlace> find_entry(const Volume& volume, kv::Transaction& transaction, InodeId directory,
                              std::string_view name, const std::optional<kv::Value>& first);

/// What leads from the row at `place` of a batch's keys, which is first_entry_key(), to the inode that it stands for.
kv::ReadBatch::Link entry_link(size_t place);
/// The row of the inode that an entry stands for: `linked` if the entry was found at the first place, from where that
/// came along, else read now.
Result<std::optional<kv::Value>> read_entry_inode(const Volume& volume, kv::Transaction& transaction,
                                                  const EntryPlace& place, const std::optional<kv::Value>& linked);

/// Requires: the name is free.
void put_entry(kv::Transaction& transaction, InodeId directory, const EntryPlace& place, std::string_view name,
               InodeId inode, FileType type);
/// Makes an existing entry stand for another inode.
void replace_entry(kv::Transaction& transaction, InodeId directory, const EntryPlace& place, InodeId inode,
                   FileType type);
/// Requires: the entry exists.
void erase_entry(kv::Transaction& transaction, InodeId directory, const EntryPlace& place);

/// Whether a directory has no entries. Unvalidated: fence the directory's inode before. Erases the rows that collisions
/// left behind. `rows` are the first limits::kScanRows, scanned since.
Result<bool> directory_is_empty(kv::Transaction& transaction, InodeId directory, std::vector<kv::KeyValue> rows);

}  // namespace weir::meta
