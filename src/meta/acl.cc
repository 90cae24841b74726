#include "meta/acl.h"

#include <algorithm>

#include "base/check.h"

namespace weir::meta {

namespace {

using Tag = AclEntry::Tag;

constexpr uint32_t kVersion = 2;
constexpr size_t kHeaderBytes = 4;
constexpr size_t kEntryBytes = 8;
constexpr uint32_t kNoId = 0xffffffff;

bool has_id(Tag tag) { return tag == Tag::kUser || tag == Tag::kGroup; }

template <class T>
T read_little_endian(std::string_view bytes) {
  T value = 0;
  for (size_t i = sizeof(T); i-- > 0;)
    value = static_cast<T>((static_cast<uint64_t>(value) << 8) | static_cast<uint8_t>(bytes[i]));
  return value;
}

template <class T>
void append_little_endian(Bytes& out, T value) {
  for (size_t i = 0; i < sizeof(T); ++i) out.push_back(static_cast<char>(value >> (8 * i)));
}

bool is_known(uint16_t tag) {
  switch (static_cast<Tag>(tag)) {
    case Tag::kUserObject:
    case Tag::kUser:
    case Tag::kGroupObject:
    case Tag::kGroup:
    case Tag::kMask:
    case Tag::kOther: return true;
  }
  return false;
}

Status check_well_formed(const std::vector<AclEntry>& entries) {
  auto count = [&](Tag tag) {
    return std::count_if(entries.begin(), entries.end(), [&](const AclEntry& entry) { return entry.tag == tag; });
  };
  bool sorted = std::is_sorted(entries.begin(), entries.end(),
                               [](const AclEntry& a, const AclEntry& b) { return a.tag < b.tag; });
  bool named = count(Tag::kUser) > 0 || count(Tag::kGroup) > 0;
  if (!sorted || count(Tag::kUserObject) != 1 || count(Tag::kGroupObject) != 1 || count(Tag::kOther) != 1 ||
      count(Tag::kMask) > 1 || (named && count(Tag::kMask) == 0))
    return error(Code::kInvalid, "an access control list of {} entries is not well-formed", entries.size());
  return {};
}

}  // namespace

Result<Acl> Acl::parse(std::string_view value) {
  if (value.size() < kHeaderBytes || (value.size() - kHeaderBytes) % kEntryBytes != 0)
    return error(Code::kInvalid, "an access control list has {} bytes, which does not fit", value.size());
  uint32_t version = read_little_endian<uint32_t>(value.substr(0, 4));
  if (version != kVersion) return error(Code::kUnsupported, "access control list version {}", version);

  Acl acl;
  for (value.remove_prefix(kHeaderBytes); !value.empty(); value.remove_prefix(kEntryBytes)) {
    uint16_t tag = read_little_endian<uint16_t>(value.substr(0, 2));
    uint16_t permissions = read_little_endian<uint16_t>(value.substr(2, 2));
    uint32_t id = read_little_endian<uint32_t>(value.substr(4, 4));
    if (!is_known(tag) || permissions > 7) return error(Code::kInvalid, "entry of an access control list is malformed");
    AclEntry entry{static_cast<Tag>(tag), permissions, has_id(static_cast<Tag>(tag)) ? id : kNoId};
    if (has_id(entry.tag) && id == kNoId) return error(Code::kInvalid, "entry of an access control list names nobody");
    acl.entries_.push_back(entry);
  }
  if (!acl.entries_.empty()) TRY(check_well_formed(acl.entries_));
  return acl;
}

Bytes Acl::encode() const {
  Bytes out;
  out.reserve(kHeaderBytes + entries_.size() * kEntryBytes);
  append_little_endian<uint32_t>(out, kVersion);
  for (const AclEntry& entry : entries_) {
    append_little_endian<uint16_t>(out, static_cast<uint16_t>(entry.tag));
    append_little_endian<uint16_t>(out, entry.permissions);
    append_little_endian<uint32_t>(out, entry.id);
  }
  return out;
}

const AclEntry* Acl::find(Tag tag) const {
  for (const AclEntry& entry : entries_)
    if (entry.tag == tag) return &entry;
  return nullptr;
}

AclEntry* Acl::find(Tag tag) { return const_cast<AclEntry*>(static_cast<const Acl*>(this)->find(tag)); }

AclEntry& Acl::group_class() {
  AclEntry* mask = find(Tag::kMask);
  return mask != nullptr ? *mask : *find(Tag::kGroupObject);
}

uint32_t Acl::permission_bits() const {
  CHECK(!empty());
  const AclEntry& group = const_cast<Acl*>(this)->group_class();
  return static_cast<uint32_t>(find(Tag::kUserObject)->permissions << 6 | group.permissions << 3 |
                               find(Tag::kOther)->permissions);
}

bool Acl::is_minimal() const { return entries_.size() <= 3; }

void Acl::apply_mode(uint32_t mode) {
  CHECK(!empty());
  find(Tag::kUserObject)->permissions = (mode >> 6) & 7;
  group_class().permissions = (mode >> 3) & 7;
  find(Tag::kOther)->permissions = mode & 7;
}

Acl Acl::inherit(uint32_t& mode) const {
  Acl result = *this;
  result.apply_mode(permission_bits() & mode);
  mode = (mode & ~0777u) | result.permission_bits();
  return result;
}

}  // namespace weir::meta
