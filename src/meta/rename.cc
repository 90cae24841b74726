#include "base/limits.h"
#include "meta/attributes.h"
#include "meta/entries.h"
#include "meta/keys.h"
#include "meta/names.h"
#include "meta/parent.h"
#include "meta/removal.h"
#include "meta/run_transaction.h"

namespace weir::meta {

namespace {

/// Invalid when `directory` is `below` or one of its ancestors. The reads are validated, so of two moves that would
/// make a loop together one conflicts.
Status check_no_loop(kv::Transaction& transaction, InodeId directory, const Inode& below) {
  InodeId ancestor = below.id;
  InodeId next = below.parent;
  for (size_t depth = 0; depth < limits::kDirectoryDepth; ++depth) {
    if (ancestor == directory)
      return error(Code::kInvalid, "directory {} cannot be moved below itself", directory.value);
    if (ancestor == kRootInode) return {};
    ancestor = next;
    ASSIGN_OR_RETURN(auto value, transaction.get(keys::inode(ancestor)));
    if (!value) return error(Code::kConflict, "directory {} was just removed", ancestor.value);
    ASSIGN_OR_RETURN(Inode inode, Inode::decode(ancestor, value->bytes));
    next = inode.parent;
  }
  return error(Code::kCorrupt, "directory {} is more than {} levels below the root", below.id.value,
               limits::kDirectoryDepth);
}

int64_t one_if_directory(FileType type) { return type == FileType::kDirectory ? 1 : 0; }

/// One rename in one attempt.
class Rename {
 public:
  Rename(Volume& volume, Attempt& attempt, InodeId parent, std::string_view name, InodeId new_parent,
         std::string_view new_name, RenameFlags flags, const IsOpen& is_open)
      : volume_(volume),
        attempt_(attempt),
        transaction_(attempt.transaction),
        parent_(parent),
        name_(name),
        new_parent_(new_parent),
        new_name_(new_name),
        flags_(flags),
        is_open_(is_open),
        now_ns_(volume.clock().realtime_ns()) {}

  Result<Renamed> run() {
    TRY(read());
    if (!from_.entry) return error(Code::kNotFound, "'{}' does not exist in directory {}", name_, parent_.value);
    if (flags_.exchange && !to_.entry)
      return error(Code::kNotFound, "'{}' does not exist in directory {}", new_name_, new_parent_.value);
    if (flags_.no_replace && to_.entry)
      return error(Code::kExists, "'{}' exists already in directory {}", new_name_, new_parent_.value);
    ASSIGN_OR_RETURN(renamed_.moved, read_named(from_));
    if (to_.entry && to_.entry->inode == from_.entry->inode) return finish();
    TRY(check_moved_below_itself());
    TRY(flags_.exchange ? exchange() : move());
    source_->write(volume_, attempt_);
    if (target_) target_->write(volume_, attempt_);
    return finish();
  }

 private:
  bool same_parent() const { return parent_ == new_parent_; }
  Parent& target() { return target_ ? *target_ : *source_; }

  Status read() {
    kv::ReadBatch batch;
    batch.keys = {Parent::inode_key(parent_), Parent::delta_key(volume_, attempt_, parent_),
                  first_entry_key(volume_, parent_, name_), first_entry_key(volume_, new_parent_, new_name_)};
    batch.links = {entry_link(2), entry_link(3)};
    if (!same_parent()) {
      batch.keys.push_back(Parent::inode_key(new_parent_));
      batch.keys.push_back(Parent::delta_key(volume_, attempt_, new_parent_));
    }
    ASSIGN_OR_RETURN(kv::ReadAnswer found, attempt_.read(batch));
    const auto& values = found.values;
    linked_ = std::move(found.linked);
    ASSIGN_OR_RETURN(source_, Parent::decode(parent_, values[0], values[1]));
    if (!same_parent()) {
      ASSIGN_OR_RETURN(target_, Parent::decode(new_parent_, values[4], values[5]));
    }
    ASSIGN_OR_RETURN(from_, find_entry(volume_, transaction_, parent_, name_, values[2]));
    ASSIGN_OR_RETURN(to_, find_entry(volume_, transaction_, new_parent_, new_name_, values[3]));
    return {};
  }

  Result<Inode> read_named(const EntryPlace& place) {
    const size_t link = &place == &from_ ? 0 : 1;
    ASSIGN_OR_RETURN(auto value, read_entry_inode(volume_, transaction_, place, linked_[link]));
    if (!value) return error(Code::kConflict, "'{}' was just removed", place.entry->name);
    return Inode::decode(place.entry->inode, value->bytes);
  }

  Status check_moved_below_itself() {
    if (same_parent()) return {};
    if (from_.entry->type == FileType::kDirectory)
      TRY(check_no_loop(transaction_, from_.entry->inode, target().inode()));
    if (flags_.exchange && to_.entry->type == FileType::kDirectory)
      TRY(check_no_loop(transaction_, to_.entry->inode, source_->inode()));
    return {};
  }

  void put_moved(Inode& inode, InodeId parent) {
    inode.ctime_ns = now_ns_;
    if (inode.type == FileType::kDirectory) inode.parent = parent;
    transaction_.put(keys::inode(inode.id), inode.encode());
  }

  Status exchange() {
    ASSIGN_OR_RETURN(Inode other, read_named(to_));
    put_moved(renamed_.moved, new_parent_);
    put_moved(other, parent_);
    replace_entry(transaction_, parent_, from_, other.id, other.type);
    replace_entry(transaction_, new_parent_, to_, renamed_.moved.id, renamed_.moved.type);
    const int64_t gained = one_if_directory(renamed_.moved.type) - one_if_directory(other.type);
    source_->change(0, same_parent() ? 0 : -gained, now_ns_);
    if (target_) target_->change(0, gained, now_ns_);
    renamed_.replaced = Removed{std::move(other), false};
    return {};
  }

  Status move() {
    const int64_t directories = one_if_directory(renamed_.moved.type);
    source_->change(-1, -directories, now_ns_);
    if (to_.entry) {
      TRY(drop_replaced());
      target().change(0, 0, now_ns_);
      replace_entry(transaction_, new_parent_, to_, renamed_.moved.id, renamed_.moved.type);
    } else {
      target().change(1, directories, now_ns_);
      put_entry(transaction_, new_parent_, to_, new_name_, renamed_.moved.id, renamed_.moved.type);
      // The new name may lie behind the old one because the two collide: then the place stays marked.
      for (const auto& [cookie, row] : to_.passed)
        if (same_parent() && cookie == from_.cookie) from_.continues = true;
    }
    erase_entry(transaction_, parent_, from_);
    put_moved(renamed_.moved, new_parent_);
    return {};
  }

  Status drop_replaced() {
    if (renamed_.moved.type == FileType::kDirectory) {
      if (to_.entry->type != FileType::kDirectory)
        return error(Code::kNotDirectory, "'{}' is not a directory", new_name_);
      ASSIGN_OR_RETURN(renamed_.replaced, drop_directory(volume_, attempt_, to_.entry->inode, is_open_, now_ns_));
    } else {
      if (to_.entry->type == FileType::kDirectory) return error(Code::kIsDirectory, "'{}' is a directory", new_name_);
      ASSIGN_OR_RETURN(Inode replaced, read_named(to_));
      ASSIGN_OR_RETURN(renamed_.replaced, drop_link(volume_, attempt_, std::move(replaced), is_open_, now_ns_));
    }
    return {};
  }

  Result<Renamed> finish() {
    Encoder reply;
    reply.u64(renamed_.moved.id.value);
    if (renamed_.replaced) reply.raw(encode_reply(*renamed_.replaced));
    attempt_.reply = std::move(reply).take();
    ASSIGN_OR_RETURN(renamed_.moved, fold_deltas(volume_, std::move(renamed_.moved)));
    return std::move(renamed_);
  }

  Volume& volume_;
  Attempt& attempt_;
  kv::Transaction& transaction_;
  const InodeId parent_;
  const std::string_view name_;
  const InodeId new_parent_;
  const std::string_view new_name_;
  const RenameFlags flags_;
  const IsOpen& is_open_;
  const int64_t now_ns_;
  std::optional<Parent> source_;
  std::optional<Parent> target_;  // nothing when it is the source
  EntryPlace from_;
  EntryPlace to_;
  std::vector<std::optional<kv::Value>> linked_;  // what the first places of both lead to
  Renamed renamed_;
};

Result<Renamed> rebuild_renamed(Volume& volume, std::string_view earlier) {
  Decoder reply(earlier);
  Renamed renamed;
  renamed.moved.id.value = reply.u64();
  auto moved = get_inode(volume, renamed.moved.id);
  if (moved) {
    renamed.moved = std::move(*moved);
  } else if (moved.error().code != Code::kNotFound) {
    return Failure(moved.error());
  }
  if (reply.remaining() > 0) {
    ASSIGN_OR_RETURN(renamed.replaced, rebuild_removed(volume, reply));
  }
  return renamed;
}

}  // namespace

Result<Renamed> rename(Volume& volume, RequestId request, InodeId parent, std::string_view name, InodeId new_parent,
                       std::string_view new_name, RenameFlags flags, const IsOpen& is_open) {
  TRY(check_name(name));
  TRY(check_name(new_name));
  if (flags.exchange && flags.no_replace) return error(Code::kInvalid, "exchange and no-replace exclude each other");
  Renamed renamed;
  ASSIGN_OR_RETURN(auto earlier, run_transaction(volume, request, [&](Attempt& attempt) -> Status {
                     ASSIGN_OR_RETURN(
                         renamed, Rename(volume, attempt, parent, name, new_parent, new_name, flags, is_open).run());
                     return {};
                   }));
  if (!earlier) return renamed;
  return rebuild_renamed(volume, *earlier);
}

}  // namespace weir::meta
