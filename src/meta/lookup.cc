#include "base/limits.h"
#include "meta/entries.h"
#include "meta/keys.h"
#include "meta/names.h"
#include "meta/parent.h"

namespace weir::meta {

Result<Inode> lookup(Volume& volume, InodeId parent, std::string_view name) {
  TRY(check_name(name));
  const Bytes first_key = first_entry_key(volume, parent, name);
  for (int attempt = 0; attempt < limits::kTransactionAttempts; ++attempt) {
    auto transaction = volume.engine().begin();
    ASSIGN_OR_RETURN(auto first, transaction->get(first_key));
    ASSIGN_OR_RETURN(EntryPlace place, find_entry(volume, *transaction, parent, name, first));
    if (!place.entry) {
      ASSIGN_OR_RETURN(Inode directory, read_inode(*transaction, parent));
      if (directory.type != FileType::kDirectory)
        return error(Code::kNotDirectory, "inode {} is not a directory", parent.value);
      return error(Code::kNotFound, "'{}' does not exist in directory {}", name, parent.value);
    }
    ASSIGN_OR_RETURN(auto value, transaction->get(keys::inode(place.entry->inode)));
    if (!value) continue;  // removed between the two reads: look again
    ASSIGN_OR_RETURN(Inode inode, Inode::decode(place.entry->inode, value->bytes));
    return fold_deltas(volume, std::move(inode));
  }
  return error(Code::kCorrupt, "'{}' in directory {} stands for an inode that does not exist", name, parent.value);
}

}  // namespace weir::meta
