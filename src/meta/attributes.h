#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "meta/volume.h"

/// Operations on one inode. Thread rule and errors as in names.h.
namespace weir::meta {

/// A directory's deltas are folded in: link_count (2 + subdirectories), times, and `size` = number of entries.
Result<Inode> get_inode(Volume& volume, InodeId inode);

/// The same, as it was at most limits::kRecentDirectoryMs ago and with all that this node has changed since, without a
/// round trip. Nothing: not a directory, or it must be read; always so with an engine that is not shared.
std::optional<Inode> recent_directory(Volume& volume, InodeId directory);

struct AttributeChange {
  std::optional<uint32_t> mode;  // 07777 bits; an access ACL's entries follow it
  std::optional<uint32_t> uid;
  std::optional<uint32_t> gid;
  std::optional<int64_t> atime_ns;
  std::optional<int64_t> mtime_ns;
  std::optional<int64_t> ctime_ns;  // nothing: now
};
/// Everything but the size, which is content (publish.h). The inode as it is then.
Result<Inode> set_attributes(Volume& volume, RequestId request, InodeId inode, const AttributeChange& change);

enum class XattrMode { kAny, kCreate, kReplace };
/// NoAttribute when absent.
Result<Bytes> get_xattr(Volume& volume, InodeId inode, std::string_view name);
Result<std::vector<std::string>> list_xattrs(Volume& volume, InodeId inode);
/// system.posix_acl_access also sets the mode's permission bits and is dropped when it says no more than they do;
/// malformed ACLs are Invalid. Exists and NoAttribute by mode; Range, NameTooLong, TooLarge by limits.h.
/// `clear_setgid`: the caller is not in the file's group, so an ACL change takes the setgid bit away.
Result<Inode> set_xattr(Volume& volume, RequestId request, InodeId inode, std::string_view name, std::string_view value,
                        XattrMode mode, bool clear_setgid);
Result<Inode> remove_xattr(Volume& volume, RequestId request, InodeId inode, std::string_view name);

}  // namespace weir::meta
