#include <sys/stat.h>

#include "base/limits.h"
#include "meta/acl.h"
#include "meta/attributes.h"
#include "meta/keys.h"
#include "meta/parent.h"
#include "meta/rows.h"
#include "meta/run_transaction.h"

namespace weir::meta {

namespace {

constexpr std::string_view kSystemPrefix = "system.";

bool is_acl(std::string_view name) { return name == kAccessAcl || name == kDefaultAcl; }

Status check_xattr_name(std::string_view name) {
  if (name.empty() || name.size() > limits::kXattrNameBytes || name.find('\0') != name.npos)
    return error(Code::kRange, "an attribute's name has {} bytes, not 1 to {}", name.size(), limits::kXattrNameBytes);
  if (name.starts_with(kSystemPrefix) && !is_acl(name))
    return error(Code::kUnsupported, "there is no attribute {}", name);
  return {};
}

/// Names of the inode's attributes, in order. They change only together with the inode.
Result<std::vector<std::string>> names_of(kv::Transaction& transaction, InodeId inode) {
  std::vector<std::string> names;
  kv::KeyRange range = keys::xattrs_of(inode);
  for (;;) {
    ASSIGN_OR_RETURN(auto rows, transaction.scan(range, limits::kXattrsAtOnce));
    for (const kv::KeyValue& row : rows) {
      ASSIGN_OR_RETURN(keys::XattrKey parts, keys::parse_xattr(row.key));
      names.emplace_back(parts.name);
    }
    if (rows.size() < limits::kXattrsAtOnce) return names;
    range = keys::behind(range, rows.back().key);
  }
}

/// listxattr(2) returns each name with a zero byte.
Status check_list_size(kv::Transaction& transaction, const Inode& inode, std::string_view added) {
  if (!inode.has_xattrs) return {};
  ASSIGN_OR_RETURN(auto names, names_of(transaction, inode.id));
  size_t list_bytes = added.size() + 1;
  for (const std::string& name : names) list_bytes += name.size() + 1;
  if (list_bytes > limits::kXattrListBytes)
    return error(Code::kNoSpace, "the attribute names of inode {} would have {} bytes, more than {}", inode.id.value,
                 list_bytes, limits::kXattrListBytes);
  return {};
}

/// Erases an attribute that is there and brings the inode's flags up to date.
Status erase_xattr(kv::Transaction& transaction, Inode& inode, std::string_view name) {
  transaction.erase(keys::xattr(inode.id, name));
  ASSIGN_OR_RETURN(auto rows, transaction.scan(keys::xattrs_of(inode.id), 2));
  inode.has_xattrs = rows.size() > 1;
  if (name == kDefaultAcl) inode.has_default_acl = false;
  return {};
}

/// What setting an ACL does beside keeping it. Nothing to keep: the value says no more than the mode, or nothing.
Result<std::optional<Bytes>> acl_to_keep(Inode& inode, std::string_view name, std::string_view value,
                                         bool clear_setgid) {
  if (inode.type == FileType::kSymlink) return error(Code::kUnsupported, "a symlink has no access control list");
  Acl acl;
  if (!value.empty()) {
    ASSIGN_OR_RETURN(acl, Acl::parse(value));
  }
  if (name == kDefaultAcl) {
    if (acl.empty()) return std::nullopt;
    if (inode.type != FileType::kDirectory)
      return error(Code::kAccess, "inode {} is not a directory and has no default ACL", inode.id.value);
    inode.has_default_acl = true;
    return acl.encode();
  }
  if (acl.empty()) return std::nullopt;
  inode.mode = (inode.mode & ~0777u) | acl.permission_bits();
  if (clear_setgid) inode.mode &= ~static_cast<uint32_t>(S_ISGID);
  if (acl.is_minimal()) return std::nullopt;
  return acl.encode();
}

}  // namespace

Result<Bytes> get_xattr(Volume& volume, InodeId inode, std::string_view name) {
  TRY(check_xattr_name(name));
  auto transaction = volume.engine().begin();
  ASSIGN_OR_RETURN(auto values, transaction->get_many({keys::xattr(inode, name), keys::inode(inode)}));
  if (!values[1]) return error(Code::kNotFound, "inode {} does not exist", inode.value);
  if (!values[0]) return error(Code::kNoAttribute, "inode {} has no attribute {}", inode.value, name);
  ASSIGN_OR_RETURN(XattrRow row, XattrRow::decode(values[0]->bytes));
  return std::move(row.value);
}

Result<std::vector<std::string>> list_xattrs(Volume& volume, InodeId inode) {
  auto transaction = volume.engine().begin();
  ASSIGN_OR_RETURN(Inode row, read_inode(*transaction, inode));
  if (!row.has_xattrs) return std::vector<std::string>();
  return names_of(*transaction, inode);
}

Result<Inode> set_xattr(Volume& volume, RequestId request, InodeId inode, std::string_view name, std::string_view value,
                        XattrMode mode, bool clear_setgid) {
  TRY(check_xattr_name(name));
  if (value.size() > limits::kXattrValueBytes)
    return error(Code::kTooLarge, "an attribute of {} bytes is larger than {}", value.size(), limits::kXattrValueBytes);
  const Bytes key = keys::xattr(inode, name);
  Inode changed;
  auto earlier = run_transaction(volume, request, [&](Attempt& attempt) -> Status {
    ASSIGN_OR_RETURN(auto values, attempt.transaction.get_many({keys::inode(inode), key}));
    ASSIGN_OR_RETURN(Inode row, decode_inode(inode, values[0]));
    const bool present = values[1].has_value();
    if (mode == XattrMode::kCreate && present)
      return error(Code::kExists, "inode {} has an attribute {} already", inode.value, name);
    if (mode == XattrMode::kReplace && !present)
      return error(Code::kNoAttribute, "inode {} has no attribute {}", inode.value, name);

    std::optional<Bytes> kept = Bytes(value);
    if (is_acl(name)) {
      ASSIGN_OR_RETURN(kept, acl_to_keep(row, name, value, clear_setgid));
    }
    if (kept) {
      if (!present) TRY(check_list_size(attempt.transaction, row, name));
      attempt.transaction.put(key, XattrRow{std::move(*kept)}.encode());
      row.has_xattrs = true;
    } else if (present) {
      TRY(erase_xattr(attempt.transaction, row, name));
    }
    row.ctime_ns = volume.clock().realtime_ns();
    attempt.transaction.put(keys::inode(inode), row.encode());
    ASSIGN_OR_RETURN(changed, fold_deltas(volume, std::move(row)));
    return {};
  });
  if (!earlier) return Failure(std::move(earlier).error());
  if (*earlier) return get_inode(volume, inode);
  return changed;
}

Result<Inode> remove_xattr(Volume& volume, RequestId request, InodeId inode, std::string_view name) {
  TRY(check_xattr_name(name));
  const Bytes key = keys::xattr(inode, name);
  Inode changed;
  auto earlier = run_transaction(volume, request, [&](Attempt& attempt) -> Status {
    ASSIGN_OR_RETURN(auto values, attempt.transaction.get_many({keys::inode(inode), key}));
    ASSIGN_OR_RETURN(Inode row, decode_inode(inode, values[0]));
    if (!values[1]) return error(Code::kNoAttribute, "inode {} has no attribute {}", inode.value, name);
    TRY(erase_xattr(attempt.transaction, row, name));
    row.ctime_ns = volume.clock().realtime_ns();
    attempt.transaction.put(keys::inode(inode), row.encode());
    ASSIGN_OR_RETURN(changed, fold_deltas(volume, std::move(row)));
    return {};
  });
  if (!earlier) return Failure(std::move(earlier).error());
  if (*earlier) return get_inode(volume, inode);
  return changed;
}

}  // namespace weir::meta
