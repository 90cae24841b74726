#include "base/limits.h"
#include "meta/attributes.h"
#include "meta/entries.h"
#include "meta/keys.h"
#include "meta/names.h"
#include "meta/new_inode.h"
#include "meta/parent.h"
#include "meta/run_transaction.h"

namespace weir::meta {

Result<Inode> link(Volume& volume, RequestId request, InodeId inode, InodeId parent, std::string_view name) {
  TRY(check_name(name));
  const Bytes first_key = first_entry_key(volume, parent, name);
  Inode linked;
  ASSIGN_OR_RETURN(
      auto earlier, run_transaction(volume, request, [&](Attempt& attempt) -> Status {
        ASSIGN_OR_RETURN(auto values, attempt.transaction.get_many(
                                          {Parent::inode_key(parent), Parent::delta_key(volume, attempt, parent),
                                           first_key, keys::inode(inode), keys::orphan(volume.node(), inode)}));
        ASSIGN_OR_RETURN(Parent directory, Parent::decode(parent, values[0], values[1]));
        ASSIGN_OR_RETURN(EntryPlace place, find_entry(volume, attempt.transaction, parent, name, values[2]));
        ASSIGN_OR_RETURN(linked, decode_inode(inode, values[3]));
        const bool unnamed = linked.link_count == 0;
        if (linked.type == FileType::kDirectory)
          return error(Code::kPermission, "directory {} cannot have a second name", inode.value);
        if (unnamed && !values[4]) return error(Code::kNotFound, "inode {} was removed", inode.value);
        if (place.entry) return error(Code::kExists, "'{}' exists already in directory {}", name, parent.value);
        if (linked.link_count >= limits::kLinks)
          return error(Code::kTooManyLinks, "inode {} has {} names already", inode.value, linked.link_count);

        const int64_t now_ns = volume.clock().realtime_ns();
        ++linked.link_count;
        linked.ctime_ns = now_ns;
        attempt.transaction.put(keys::inode(inode), linked.encode());
        if (unnamed) attempt.transaction.erase(keys::orphan(volume.node(), inode));
        put_entry(attempt.transaction, parent, place, name, inode, linked.type);
        directory.change(1, 0, now_ns);
        directory.write(volume, attempt);
        attempt.reply = encode_reply(inode);
        return {};
      }));
  if (!earlier) return linked;
  return get_inode(volume, inode);
}

}  // namespace weir::meta
