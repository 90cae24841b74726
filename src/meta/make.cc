#include "meta/attributes.h"
#include "meta/entries.h"
#include "meta/keys.h"
#include "meta/names.h"
#include "meta/new_inode.h"
#include "meta/parent.h"
#include "meta/rows.h"
#include "meta/run_transaction.h"

namespace weir::meta {

Result<Inode> make(Volume& volume, RequestId request, InodeId parent, std::string_view name, const NewInode& wanted) {
  TRY(check_name(name));
  TRY(check_new_inode(wanted));
  ASSIGN_OR_RETURN(InodeId id, volume.new_inode_id());
  const Bytes first_key = first_entry_key(volume, parent, name);
  Inode made;
  ASSIGN_OR_RETURN(auto earlier, run_transaction(volume, request, [&](Attempt& attempt) -> Status {
                     kv::ReadBatch batch;
                     batch.keys = {Parent::inode_key(parent), Parent::delta_key(volume, attempt, parent), first_key};
                     ASSIGN_OR_RETURN(const kv::ReadAnswer found, attempt.read(batch));
                     ASSIGN_OR_RETURN(Parent directory, Parent::decode(parent, found.values[0], found.values[1]));
                     ASSIGN_OR_RETURN(EntryPlace place,
                                      find_entry(volume, attempt.transaction, parent, name, found.values[2]));
                     if (place.entry)
                       return error(Code::kExists, "'{}' exists already in directory {}", name, parent.value);

                     const int64_t now_ns = volume.clock().realtime_ns();
                     ASSIGN_OR_RETURN(made, build_inode(attempt.transaction, directory.inode(), id, wanted, now_ns));
                     attempt.transaction.put(keys::inode(id), made.encode());
                     put_entry(attempt.transaction, parent, place, name, id, made.type);
                     directory.change(1, made.type == FileType::kDirectory ? 1 : 0, now_ns);
                     directory.write(volume, attempt);
                     attempt.reply = encode_reply(id);
                     return {};
                   }));
  if (!earlier) return made;
  ASSIGN_OR_RETURN(InodeId made_earlier, decode_reply(*earlier));
  return get_inode(volume, made_earlier);
}

Result<Inode> make_unnamed(Volume& volume, RequestId request, InodeId parent, const NewInode& wanted) {
  TRY(check_new_inode(wanted));
  ASSIGN_OR_RETURN(InodeId id, volume.new_inode_id());
  Inode made;
  ASSIGN_OR_RETURN(auto earlier, run_transaction(volume, request, [&](Attempt& attempt) -> Status {
                     ASSIGN_OR_RETURN(Parent directory, Parent::read(volume, attempt, parent));
                     ASSIGN_OR_RETURN(made, build_inode(attempt.transaction, directory.inode(), id, wanted,
                                                        volume.clock().realtime_ns()));
                     if (made.type == FileType::kDirectory) return error(Code::kInvalid, "a directory needs a name");
                     made.link_count = 0;
                     attempt.transaction.put(keys::inode(id), made.encode());
                     attempt.transaction.put(keys::orphan(volume.node(), id), MarkRow().encode());
                     attempt.reply = encode_reply(id);
                     return {};
                   }));
  if (!earlier) return made;
  ASSIGN_OR_RETURN(InodeId made_earlier, decode_reply(*earlier));
  return get_inode(volume, made_earlier);
}

}  // namespace weir::meta
