#include "meta/look_again.h"

#include "meta/entries.h"
#include "meta/keys.h"
#include "model/records.h"

namespace weir::meta {

namespace {

Result<std::optional<Inode>> decode_if_there(InodeId id, const std::optional<kv::Value>& value) {
  if (!value) return std::optional<Inode>();
  ASSIGN_OR_RETURN(Inode inode, Inode::decode(id, value->bytes));
  return std::optional(std::move(inode));
}

}  // namespace

Result<LookAgain> look_again(Volume& volume, InodeId inode, const std::vector<NamePlace>& names) {
  std::vector<Bytes> row_keys;
  row_keys.reserve(names.size() + 1);
  for (const NamePlace& place : names) row_keys.push_back(first_entry_key(volume, place.parent, place.name));
  row_keys.push_back(keys::inode(inode));
  auto transaction = volume.engine().begin();
  ASSIGN_OR_RETURN(auto values, transaction->get_many(row_keys));

  LookAgain look;
  ASSIGN_OR_RETURN(look.inode, decode_if_there(inode, values.back()));
  for (size_t i = 0; i < names.size(); ++i) {
    ASSIGN_OR_RETURN(EntryPlace place, find_entry(volume, *transaction, names[i].parent, names[i].name, values[i]));
    look.leads.push_back(place.entry && place.entry->inode == inode);
  }
  return look;
}

Result<std::vector<std::optional<Inode>>> get_inodes(Volume& volume, const std::vector<InodeId>& ids) {
  std::vector<Bytes> row_keys;
  row_keys.reserve(ids.size());
  for (InodeId id : ids) row_keys.push_back(keys::inode(id));
  ASSIGN_OR_RETURN(auto values, volume.engine().begin()->get_many(row_keys));
  std::vector<std::optional<Inode>> inodes(ids.size());
  for (size_t i = 0; i < ids.size(); ++i) {
    ASSIGN_OR_RETURN(inodes[i], decode_if_there(ids[i], values[i]));
  }
  return inodes;
}

}  // namespace weir::meta
