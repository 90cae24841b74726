#include "meta/entries.h"
#include "meta/keys.h"
#include "meta/names.h"
#include "meta/parent.h"
#include "meta/removal.h"
#include "meta/run_transaction.h"

namespace weir::meta {

Result<Removed> unlink(Volume& volume, RequestId request, InodeId parent, std::string_view name,
                       const IsOpen& is_open) {
  TRY(check_name(name));
  const Bytes first_key = first_entry_key(volume, parent, name);
  Removed removed;
  ASSIGN_OR_RETURN(
      auto earlier, run_transaction(volume, request, [&](Attempt& attempt) -> Status {
        kv::ReadBatch batch;
        batch.keys = {Parent::inode_key(parent), Parent::delta_key(volume, attempt, parent), first_key};
        batch.links = {entry_link(2)};
        ASSIGN_OR_RETURN(const kv::ReadAnswer found, attempt.read(batch));
        ASSIGN_OR_RETURN(Parent directory, Parent::decode(parent, found.values[0], found.values[1]));
        ASSIGN_OR_RETURN(EntryPlace place, find_entry(volume, attempt.transaction, parent, name, found.values[2]));
        if (!place.entry) return error(Code::kNotFound, "'{}' does not exist in directory {}", name, parent.value);
        if (place.entry->type == FileType::kDirectory) return error(Code::kIsDirectory, "'{}' is a directory", name);
        ASSIGN_OR_RETURN(auto target, read_entry_inode(volume, attempt.transaction, place, found.linked[0]));
        if (!target) return error(Code::kConflict, "'{}' was just removed", name);
        ASSIGN_OR_RETURN(Inode inode, Inode::decode(place.entry->inode, target->bytes));

        const int64_t now_ns = volume.clock().realtime_ns();
        ASSIGN_OR_RETURN(removed, drop_link(volume, attempt, std::move(inode), is_open, now_ns));
        erase_entry(attempt.transaction, parent, place);
        directory.change(-1, 0, now_ns);
        directory.write(volume, attempt);
        attempt.reply = encode_reply(removed);
        return {};
      }));
  if (!earlier) return removed;
  Decoder reply(*earlier);
  return rebuild_removed(volume, reply);
}

}  // namespace weir::meta
