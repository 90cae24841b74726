#include "meta/acl.h"

#include <gtest/gtest.h>

namespace weir::meta {
namespace {

using Tag = AclEntry::Tag;

Bytes with_entries(std::string_view entries) { return Bytes("\2\0\0\0", 4) + Bytes(entries); }

constexpr std::string_view kOwner("\1\0\7\0\377\377\377\377", 8);
constexpr std::string_view kUser("\2\0\5\0\350\3\0\0", 8);
constexpr std::string_view kOwningGroup("\4\0\5\0\377\377\377\377", 8);
constexpr std::string_view kGroup("\10\0\6\0\144\0\0\0", 8);
constexpr std::string_view kMask("\20\0\7\0\377\377\377\377", 8);
constexpr std::string_view kOther("\40\0\1\0\377\377\377\377", 8);

std::string join(std::initializer_list<std::string_view> entries) {
  std::string all;
  for (std::string_view entry : entries) all += entry;
  return with_entries(all);
}

TEST(Acl, ReadsWhatLinuxWrites) {
  auto acl = Acl::parse(join({kOwner, kUser, kOwningGroup, kGroup, kMask, kOther}));
  ASSERT_TRUE(acl) << acl.error().what;
  ASSERT_EQ(acl->entries().size(), 6u);
  EXPECT_EQ(acl->entries()[1], (AclEntry{Tag::kUser, 5, 1000}));
  EXPECT_EQ(acl->permission_bits(), 0771u);
  EXPECT_FALSE(acl->is_minimal());
  EXPECT_EQ(acl->encode(), join({kOwner, kUser, kOwningGroup, kGroup, kMask, kOther}));
}

TEST(Acl, ThreeEntriesAreMinimal) {
  auto acl = Acl::parse(join({kOwner, kOwningGroup, kOther}));
  ASSERT_TRUE(acl);
  EXPECT_TRUE(acl->is_minimal());
  EXPECT_EQ(acl->permission_bits(), 0751u);
}

TEST(Acl, AListWithoutEntriesIsEmpty) {
  auto acl = Acl::parse(with_entries(""));
  ASSERT_TRUE(acl);
  EXPECT_TRUE(acl->empty());
}

TEST(Acl, RefusesWhatIsNotWellFormed) {
  EXPECT_FALSE(Acl::parse(""));
  EXPECT_FALSE(Acl::parse(with_entries("1234567")));
  EXPECT_FALSE(Acl::parse(join({kOwner})));
  EXPECT_FALSE(Acl::parse(join({kOwner, kOwner, kOwningGroup, kOther}))) << "two owners";
  EXPECT_FALSE(Acl::parse(join({kOwner, kOther, kOwningGroup}))) << "out of order";
  EXPECT_FALSE(Acl::parse(join({kOwner, kUser, kOwningGroup, kOther}))) << "a named user needs a mask";
  EXPECT_FALSE(Acl::parse(join({kOwner, kOwningGroup, kMask, kMask, kOther})));
  EXPECT_FALSE(Acl::parse(join({kOwner, std::string_view("\4\0\10\0\377\377\377\377", 8), kOther})))
      << "rights above rwx";
  EXPECT_FALSE(Acl::parse(join({kOwner, std::string_view("\3\0\7\0\377\377\377\377", 8), kOther}))) << "no such tag";
  EXPECT_FALSE(Acl::parse(join({kOwner, std::string_view("\2\0\5\0\377\377\377\377", 8), kOwningGroup, kMask, kOther})))
      << "a user without number";
}

TEST(Acl, FollowsTheMode) {
  Acl acl = *Acl::parse(join({kOwner, kUser, kOwningGroup, kMask, kOther}));
  acl.apply_mode(0640);
  EXPECT_EQ(acl.permission_bits(), 0640u);
  EXPECT_EQ(acl.entries()[2].permissions, 5) << "the mask changes, not the owning group";
  Acl minimal = *Acl::parse(join({kOwner, kOwningGroup, kOther}));
  minimal.apply_mode(0640);
  EXPECT_EQ(minimal.entries()[1].permissions, 4);
}

TEST(Acl, InheritanceTakesTheNarrowerOfListAndMode) {
  Acl parents = *Acl::parse(join({kOwner, kUser, kOwningGroup, kMask, kOther}));
  uint32_t mode = 04664;
  Acl inherited = parents.inherit(mode);
  EXPECT_EQ(mode, 04660u);
  EXPECT_EQ(inherited.permission_bits(), 0660u);
  EXPECT_EQ(inherited.entries()[1].permissions, 5) << "named users keep theirs under the mask";
}

}  // namespace
}  // namespace weir::meta
