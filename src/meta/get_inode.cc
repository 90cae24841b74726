#include "meta/attributes.h"
#include "meta/parent.h"

namespace weir::meta {

Result<Inode> get_inode(Volume& volume, InodeId inode) {
  auto transaction = volume.engine().begin();
  ASSIGN_OR_RETURN(Inode row, read_inode(*transaction, inode));
  return fold_deltas(volume, std::move(row));
}

}  // namespace weir::meta
