#include "base/limits.h"
#include "meta/entries.h"
#include "meta/keys.h"
#include "meta/names.h"
#include "meta/parent.h"

namespace weir::meta {

Result<Inode> lookup(Volume& volume, InodeId parent, std::string_view name) {
  TRY(check_name(name));
  kv::ReadBatch batch;
  batch.keys = {first_entry_key(volume, parent, name), keys::inode(parent)};
  batch.links = {entry_link(0)};
  for (int attempt = 0; attempt < limits::kTransactionAttempts; ++attempt) {
    auto transaction = volume.engine().begin();
    ASSIGN_OR_RETURN(const kv::ReadAnswer found, transaction->read(batch));
    ASSIGN_OR_RETURN(EntryPlace place, find_entry(volume, *transaction, parent, name, found.values[0]));
    if (!place.entry) {
      ASSIGN_OR_RETURN(Inode directory, decode_inode(parent, found.values[1]));
      if (directory.type != FileType::kDirectory)
        return error(Code::kNotDirectory, "inode {} is not a directory", parent.value);
      return error(Code::kNotFound, "'{}' does not exist in directory {}", name, parent.value);
    }
    ASSIGN_OR_RETURN(auto value, read_entry_inode(volume, *transaction, place, found.linked[0]));
    if (!value) continue;  // removed between the two reads: look again
    ASSIGN_OR_RETURN(Inode inode, Inode::decode(place.entry->inode, value->bytes));
    return fold_deltas(volume, std::move(inode));
  }
  return error(Code::kCorrupt, "'{}' in directory {} stands for an inode that does not exist", name, parent.value);
}

}  // namespace weir::meta
