#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"

/// POSIX access control lists (acl(5)) as Linux stores them in extended attributes. Pure functions.
namespace weir::meta {

inline constexpr std::string_view kAccessAcl = "system.posix_acl_access";
inline constexpr std::string_view kDefaultAcl = "system.posix_acl_default";

struct AclEntry {
  enum class Tag : uint16_t { kUserObject = 1, kUser = 2, kGroupObject = 4, kGroup = 8, kMask = 16, kOther = 32 };
  Tag tag = Tag::kUserObject;
  uint16_t permissions = 0;  // rwx bits
  uint32_t id = 0;           // of kUser and kGroup
  bool operator==(const AclEntry&) const = default;
};

/// A well-formed list: owner, users, owning group, groups, mask, others, in this order; a mask when there are named
/// users or groups. Or empty: no list.
class Acl {
 public:
  /// Reads the attribute's value: version 2, little-endian. Invalid unless it is well-formed; Unsupported for another
  /// version. A value without entries is the empty list.
  static Result<Acl> parse(std::string_view value);
  Bytes encode() const;

  bool empty() const { return entries_.empty(); }
  const std::vector<AclEntry>& entries() const { return entries_; }

  /// The nine permission bits that stat() shows for an inode with this list. Requires: not empty.
  uint32_t permission_bits() const;
  /// True when it says no more than those nine bits.
  bool is_minimal() const;
  /// chmod: the list follows new permission bits. Requires: not empty.
  void apply_mode(uint32_t mode);
  /// For a new inode: what this default list makes its access list, limited by the `mode` wanted; gives the resulting
  /// permission bits back in `mode`. Requires: not empty.
  Acl inherit(uint32_t& mode) const;

 private:
  AclEntry* find(AclEntry::Tag tag);
  const AclEntry* find(AclEntry::Tag tag) const;
  /// The entry that the group bits of the mode stand for.
  AclEntry& group_class();

  std::vector<AclEntry> entries_;
};

}  // namespace weir::meta
