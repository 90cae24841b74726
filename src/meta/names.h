#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "meta/volume.h"

/// Operations on names. All block on the engine; all are thread-safe; a mutation has happened, once, when it returns
/// without error, and has not happened when it returns one. Names are checked: NameTooLong, Invalid ("", ".", "..",
/// '/').
namespace weir::meta {

struct NewInode {
  FileType type = FileType::kFile;
  uint32_t mode = 0;  // 07777 bits, umask not applied yet
  uint32_t umask = 0;
  uint32_t uid = 0;
  uint32_t gid = 0;  // a setgid parent overrides it, and gives a directory its setgid bit
  uint32_t device = 0;
  Bytes symlink_target;
};

/// The inode under a name, directories with their deltas folded in. NotFound; NotDirectory.
Result<Inode> lookup(Volume& volume, InodeId parent, std::string_view name);

/// Creates a file, directory, symlink or special file. Applies the umask, or the parent's default ACL in its stead
/// (acl(5)). Exists; NotFound when the parent is gone; NoSpace never.
Result<Inode> make(Volume& volume, RequestId request, InodeId parent, std::string_view name, const NewInode& wanted);
/// O_TMPFILE: an inode without a name, link count 0, kept by an `O` row until release_orphan() or link().
Result<Inode> make_unnamed(Volume& volume, RequestId request, InodeId parent, const NewInode& wanted);

/// A second name; an unnamed inode (link count 0 with its `O` row) gets its first. Exists; TooManyLinks; Permission for
/// directories.
Result<Inode> link(Volume& volume, RequestId request, InodeId inode, InodeId parent, std::string_view name);

struct Removed {
  Inode inode;        // as it is now; link_count 0 when the last name went
  bool gone = false;  // erased and its content queued: nothing may refer to it any more
};
/// The last name of an inode that `is_open` says is open turns it into an orphan (`O` row) until release_orphan().
Result<Removed> unlink(Volume& volume, RequestId request, InodeId parent, std::string_view name, const IsOpen& is_open);
/// NotEmpty; NotDirectory. A directory that is open goes on as an empty, nameless one (also an orphan).
Result<Removed> remove_directory(Volume& volume, RequestId request, InodeId parent, std::string_view name,
                                 const IsOpen& is_open);

struct RenameFlags {
  bool no_replace = false;
  bool exchange = false;
};
struct Renamed {
  Inode moved;
  std::optional<Removed> replaced;  // what the new name stood for before; with exchange: under the old name now
};
/// rename(2) with all its rules: same inode under both names does nothing; a directory replaces only an empty
/// directory; Invalid for a move below itself; NotDirectory, IsDirectory, NotEmpty, Exists (no_replace), NotFound.
Result<Renamed> rename(Volume& volume, RequestId request, InodeId parent, std::string_view name, InodeId new_parent,
                       std::string_view new_name, RenameFlags flags, const IsOpen& is_open);

/// The last user of an inode without names let go of it: queues its content and erases it. Nothing if it has a name.
Status release_orphan(Volume& volume, RequestId request, InodeId inode);
/// Orphans that an earlier life of this node left behind, to be released after a restart.
Result<std::vector<InodeId>> orphans_of_this_node(Volume& volume);

}  // namespace weir::meta
