#include "meta/entries.h"
#include "meta/keys.h"
#include "meta/names.h"
#include "meta/parent.h"
#include "meta/removal.h"
#include "meta/run_transaction.h"

namespace weir::meta {

Result<Removed> remove_directory(Volume& volume, RequestId request, InodeId parent, std::string_view name,
                                 const IsOpen& is_open) {
  TRY(check_name(name));
  const Bytes first_key = first_entry_key(volume, parent, name);
  Removed removed;
  ASSIGN_OR_RETURN(
      auto earlier, run_transaction(volume, request, [&](Attempt& attempt) -> Status {
        ASSIGN_OR_RETURN(auto values,
                         attempt.transaction.get_many(
                             {Parent::inode_key(parent), Parent::delta_key(volume, attempt, parent), first_key}));
        ASSIGN_OR_RETURN(Parent directory, Parent::decode(parent, values[0], values[1]));
        ASSIGN_OR_RETURN(EntryPlace place, find_entry(volume, attempt.transaction, parent, name, values[2]));
        if (!place.entry) return error(Code::kNotFound, "'{}' does not exist in directory {}", name, parent.value);
        if (place.entry->type != FileType::kDirectory)
          return error(Code::kNotDirectory, "'{}' is not a directory", name);

        const int64_t now_ns = volume.clock().realtime_ns();
        ASSIGN_OR_RETURN(removed, drop_directory(volume, attempt, place.entry->inode, is_open, now_ns));
        erase_entry(attempt.transaction, parent, place);
        directory.change(-1, -1, now_ns);
        directory.write(volume, attempt);
        attempt.reply = encode_reply(removed);
        return {};
      }));
  if (!earlier) return removed;
  Decoder reply(*earlier);
  return rebuild_removed(volume, reply);
}

}  // namespace weir::meta
