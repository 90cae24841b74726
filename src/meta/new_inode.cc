#include "meta/new_inode.h"

#include <sys/stat.h>

#include "base/limits.h"
#include "meta/acl.h"
#include "meta/keys.h"
#include "meta/rows.h"

namespace weir::meta {

namespace {

/// acl(5), "OBJECT CREATION AND DEFAULT ACLs".
Status inherit_acl(kv::Transaction& transaction, const Inode& parent, Inode& inode) {
  ASSIGN_OR_RETURN(auto value, transaction.get(keys::xattr(parent.id, kDefaultAcl)));
  if (!value) return error(Code::kConflict, "the default ACL of directory {} was just removed", parent.id.value);
  ASSIGN_OR_RETURN(XattrRow row, XattrRow::decode(value->bytes));
  ASSIGN_OR_RETURN(Acl parents_list, Acl::parse(row.value));
  if (parents_list.empty()) return error(Code::kCorrupt, "the default ACL of directory {} is empty", parent.id.value);
  Acl access = parents_list.inherit(inode.mode);
  if (!access.is_minimal()) {
    transaction.put(keys::xattr(inode.id, kAccessAcl), XattrRow{access.encode()}.encode());
    inode.has_xattrs = true;
  }
  if (inode.type == FileType::kDirectory) {
    transaction.put(keys::xattr(inode.id, kDefaultAcl), XattrRow{parents_list.encode()}.encode());
    inode.has_xattrs = inode.has_default_acl = true;
  }
  return {};
}

}  // namespace

Status check_new_inode(const NewInode& wanted) {
  if (wanted.type != FileType::kSymlink) return {};
  if (wanted.symlink_target.size() > limits::kSymlinkBytes)
    return error(Code::kNameTooLong, "a symlink target of {} bytes is longer than {}", wanted.symlink_target.size(),
                 limits::kSymlinkBytes);
  if (wanted.symlink_target.empty()) return error(Code::kInvalid, "a symlink needs a target");
  return {};
}

Result<Inode> build_inode(kv::Transaction& transaction, const Inode& parent, InodeId id, const NewInode& wanted,
                          int64_t now_ns) {
  Inode inode;
  inode.id = id;
  inode.type = wanted.type;
  inode.mode = wanted.mode & 07777;
  inode.uid = wanted.uid;
  inode.gid = wanted.gid;
  inode.device = wanted.device;
  inode.atime_ns = inode.mtime_ns = inode.ctime_ns = inode.btime_ns = now_ns;
  if (parent.mode & S_ISGID) {
    inode.gid = parent.gid;
    if (wanted.type == FileType::kDirectory) inode.mode |= S_ISGID;
  }
  if (wanted.type == FileType::kDirectory) {
    inode.link_count = 2;
    inode.parent = parent.id;
  }
  if (wanted.type == FileType::kSymlink) {
    inode.mode = 0777;
    inode.symlink_target = wanted.symlink_target;
    inode.size = wanted.symlink_target.size();
  } else if (parent.has_default_acl) {
    TRY(inherit_acl(transaction, parent, inode));
  } else {
    inode.mode &= ~(wanted.umask & 0777);
  }
  return inode;
}

Bytes encode_reply(InodeId inode) {
  Encoder encoder;
  encoder.u64(inode.value);
  return std::move(encoder).take();
}

Result<InodeId> decode_reply(std::string_view reply) {
  Decoder decoder(reply);
  InodeId inode{decoder.u64()};
  TRY(decoder.finish("recorded reply"));
  return inode;
}

}  // namespace weir::meta
