#include "meta/attributes.h"

#include <sys/stat.h>

#include "meta/acl.h"
#include "meta/volume_testing.h"

namespace weir::meta {
namespace {

class AttributesTest : public VolumeTest {
 protected:
  Inode set(InodeId id, const AttributeChange& change) { return value_of(set_attributes(volume(), {}, id, change)); }
  Inode set_value(InodeId id, std::string_view name, std::string_view value, bool clear_setgid = false) {
    return value_of(set_xattr(volume(), {}, id, name, value, XattrMode::kAny, clear_setgid));
  }
};
INSTANTIATE_TEST_SUITE_P(Engines, AttributesTest, all_engines(), engine_of);

Bytes acl_value(std::initializer_list<AclEntry> entries) {
  auto little = [](uint64_t value, int bytes) {
    Bytes out;
    for (int i = 0; i < bytes; ++i) out.push_back(static_cast<char>(value >> (8 * i)));
    return out;
  };
  Bytes value = little(2, 4);
  for (const AclEntry& entry : entries)
    value += little(static_cast<uint16_t>(entry.tag), 2) + little(entry.permissions, 2) + little(entry.id, 4);
  return value;
}

using Tag = AclEntry::Tag;
constexpr uint32_t kNone = 0xffffffff;

/// u::rw-,u:1000:rw-,g::r--,m::rw-,o::r--
Bytes extended_acl() {
  return acl_value({{Tag::kUserObject, 6, kNone},
                    {Tag::kUser, 6, 1000},
                    {Tag::kGroupObject, 4, kNone},
                    {Tag::kMask, 6, kNone},
                    {Tag::kOther, 4, kNone}});
}

TEST_P(AttributesTest, AreSetOneByOne) {
  Inode file = make_file("a");
  test_.clock().advance_ms(1);
  Inode now = set(file.id, {.mode = 0600});
  EXPECT_EQ(now.mode, 0600u);
  EXPECT_GT(now.ctime_ns, file.ctime_ns);
  EXPECT_EQ(now.mtime_ns, file.mtime_ns);
  now = set(file.id, {.uid = 7, .gid = 8});
  EXPECT_EQ(now.uid, 7u);
  EXPECT_EQ(now.gid, 8u);
  now = set(file.id, {.atime_ns = -5, .mtime_ns = 6, .ctime_ns = 7});
  EXPECT_EQ(now.atime_ns, -5);
  EXPECT_EQ(now.mtime_ns, 6);
  EXPECT_EQ(now.ctime_ns, 7);
  EXPECT_EQ(inode(file.id), now);
  EXPECT_EQ(outcome(set_attributes(volume(), {}, InodeId{999}, {})), "not_found");
}

TEST_P(AttributesTest, ADirectorysTimesAreWhatWasSetLast) {
  Inode directory = make_directory("d");
  test_.clock().advance_ms(1);
  make_directory("sub", directory.id);
  Inode now = set(directory.id, {.mtime_ns = 1000});
  EXPECT_EQ(now.mtime_ns, 1000);
  EXPECT_EQ(now.size, 1u);
  EXPECT_EQ(now.link_count, 3u);
  EXPECT_EQ(inode(directory.id), now);
  test_.clock().advance_ms(1);
  Inode file = make_file("f", directory.id);
  EXPECT_EQ(inode(directory.id).mtime_ns, file.mtime_ns);
  EXPECT_EQ(inode(directory.id).size, 2u);
  // A time in the future does not hide a later change.
  set(directory.id, {.mtime_ns = test_.clock().realtime_ns() + 1'000'000'000'000});
  test_.clock().advance_ms(1);
  file = make_file("g", directory.id);
  EXPECT_EQ(inode(directory.id).mtime_ns, file.mtime_ns);
}

TEST_P(AttributesTest, ChangingADirectorysModeKeepsItsTimesAndCounts) {
  Inode directory = make_directory("d");
  test_.clock().advance_ms(1);
  Inode file = make_file("f", directory.id);
  test_.clock().advance_ms(1);
  Inode now = set(directory.id, {.mode = 0700});
  EXPECT_EQ(now.mtime_ns, file.mtime_ns);
  EXPECT_EQ(now.ctime_ns, test_.clock().realtime_ns());
  EXPECT_EQ(now.size, 1u);
  EXPECT_EQ(inode(directory.id), now);
}

TEST_P(AttributesTest, XattrsAreSetListedAndRemoved) {
  Inode file = make_file("a");
  EXPECT_EQ(outcome(get_xattr(volume(), file.id, "user.a")), "no_attribute");
  EXPECT_TRUE(value_of(list_xattrs(volume(), file.id)).empty());
  test_.clock().advance_ms(1);
  Inode now = set_value(file.id, "user.a", "1");
  EXPECT_TRUE(now.has_xattrs);
  EXPECT_GT(now.ctime_ns, file.ctime_ns);
  set_value(file.id, "user.b", "");
  set_value(file.id, "user.a", "2");
  EXPECT_EQ(value_of(get_xattr(volume(), file.id, "user.a")), "2");
  EXPECT_EQ(value_of(get_xattr(volume(), file.id, "user.b")), "");
  EXPECT_EQ(value_of(list_xattrs(volume(), file.id)), std::vector<std::string>({"user.a", "user.b"}));
  EXPECT_TRUE(value_of(remove_xattr(volume(), {}, file.id, "user.a")).has_xattrs);
  EXPECT_FALSE(value_of(remove_xattr(volume(), {}, file.id, "user.b")).has_xattrs);
  EXPECT_EQ(outcome(remove_xattr(volume(), {}, file.id, "user.b")), "no_attribute");
  EXPECT_EQ(inode(file.id).has_xattrs, false);
}

TEST_P(AttributesTest, XattrsAreCreatedOrReplacedAsAsked) {
  Inode file = make_file("a");
  auto set_with = [&](XattrMode mode) { return outcome(set_xattr(volume(), {}, file.id, "user.a", "x", mode, false)); };
  EXPECT_EQ(set_with(XattrMode::kReplace), "no_attribute");
  EXPECT_EQ(set_with(XattrMode::kCreate), "ok");
  EXPECT_EQ(set_with(XattrMode::kCreate), "exists");
  EXPECT_EQ(set_with(XattrMode::kReplace), "ok");
}

TEST_P(AttributesTest, XattrsHaveLimits) {
  Inode file = make_file("a");
  auto set_named = [&](std::string_view name, size_t bytes) {
    return outcome(set_xattr(volume(), {}, file.id, name, Bytes(bytes, 'x'), XattrMode::kAny, false));
  };
  EXPECT_EQ(set_named("user." + std::string(251, 'n'), 1), "range");
  EXPECT_EQ(set_named("", 1), "range");
  EXPECT_EQ(set_named("user.big", limits::kXattrValueBytes + 1), "too_large");
  EXPECT_EQ(set_named("user.big", limits::kXattrValueBytes), "ok");
  EXPECT_EQ(set_named("system.other", 1), "unsupported");
  EXPECT_EQ(outcome(set_xattr(volume(), {}, InodeId{999}, "user.a", "", XattrMode::kAny, false)), "not_found");
}

TEST_P(AttributesTest, TheListOfXattrNamesHasALimit) {
  Inode file = make_file("a");
  const std::string padding(240, 'n');
  size_t set_count = 0;
  while (outcome(set_xattr(volume(), {}, file.id, fmt::format("user.{}{:04}", padding, set_count), "", XattrMode::kAny,
                           false)) == "ok")
    ASSERT_LT(++set_count, 1000u);
  EXPECT_EQ(set_count, limits::kXattrListBytes / 250);
  EXPECT_EQ(value_of(list_xattrs(volume(), file.id)).size(), set_count);
  value_of(unlink(volume(), {}, kRootInode, "a", nothing_open));
  EXPECT_EQ(outcome(get_inode(volume(), file.id)), "not_found");
  EXPECT_EQ(value_of(test_.engine().begin()->scan(kv::KeyRange::prefix("X"), 10)).size(), 0u);
}

TEST_P(AttributesTest, AnAccessAclSetsTheMode) {
  Inode file = make_file("a");
  Inode now = set_value(file.id, kAccessAcl, extended_acl());
  EXPECT_EQ(now.mode, 0664u) << "the mask shows as the group's bits";
  EXPECT_EQ(value_of(get_xattr(volume(), file.id, kAccessAcl)), extended_acl());
  now = set(file.id, {.mode = 0640});
  EXPECT_EQ(now.mode, 0640u);
  Acl acl = value_of(Acl::parse(value_of(get_xattr(volume(), file.id, kAccessAcl))));
  EXPECT_EQ(acl.permission_bits(), 0640u);
  EXPECT_EQ(acl.entries()[2].permissions, 4) << "the group itself keeps its entry";
}

TEST_P(AttributesTest, AnAclThatSaysNoMoreThanTheModeIsNotKept) {
  Inode file = make_file("a");
  set_value(file.id, kAccessAcl, extended_acl());
  Inode now =
      set_value(file.id, kAccessAcl,
                acl_value({{Tag::kUserObject, 7, kNone}, {Tag::kGroupObject, 5, kNone}, {Tag::kOther, 1, kNone}}));
  EXPECT_EQ(now.mode, 0751u);
  EXPECT_FALSE(now.has_xattrs);
  EXPECT_EQ(outcome(get_xattr(volume(), file.id, kAccessAcl)), "no_attribute");
}

TEST_P(AttributesTest, AnAclChangeTakesTheSetgidBitOfOutsiders) {
  Inode file = value_of(make(volume(), {}, kRootInode, "a", {.mode = 02755}));
  EXPECT_EQ(set_value(file.id, kAccessAcl, extended_acl(), false).mode, 02664u);
  EXPECT_EQ(set_value(file.id, kAccessAcl, extended_acl(), true).mode, 0664u);
}

TEST_P(AttributesTest, MalformedAclsAreRefused) {
  Inode file = make_file("a");
  auto set_acl = [&](std::string_view name, std::string_view value) {
    return outcome(set_xattr(volume(), {}, file.id, name, value, XattrMode::kAny, false));
  };
  EXPECT_EQ(set_acl(kAccessAcl, "x"), "invalid");
  EXPECT_EQ(set_acl(kAccessAcl, Bytes("\3\0\0\0", 4)), "unsupported");
  EXPECT_EQ(set_acl(kAccessAcl, acl_value({{Tag::kUserObject, 7, kNone}})), "invalid");
  EXPECT_EQ(set_acl(kDefaultAcl, extended_acl()), "access") << "not a directory";
  value_of(make(volume(), {}, kRootInode, "l", {.type = FileType::kSymlink, .symlink_target = "a"}));
  EXPECT_EQ(outcome(set_xattr(volume(), {}, value_of(lookup(volume(), kRootInode, "l")).id, kAccessAcl, extended_acl(),
                              XattrMode::kAny, false)),
            "unsupported");
}

TEST_P(AttributesTest, ADefaultAclIsInheritedInPlaceOfTheUmask) {
  Inode directory = make_directory("d");
  Inode now = set_value(directory.id, kDefaultAcl, extended_acl());
  EXPECT_TRUE(now.has_default_acl);
  EXPECT_EQ(now.mode, directory.mode);

  Inode file = value_of(make(volume(), {}, directory.id, "f", {.mode = 0666, .umask = 077}));
  EXPECT_EQ(file.mode, 0664u);
  EXPECT_TRUE(file.has_xattrs);
  EXPECT_FALSE(file.has_default_acl);
  EXPECT_EQ(value_of(get_xattr(volume(), file.id, kAccessAcl)), extended_acl());

  Inode narrow = value_of(make(volume(), {}, directory.id, "g", {.mode = 0600}));
  EXPECT_EQ(narrow.mode, 0600u);
  EXPECT_EQ(value_of(Acl::parse(value_of(get_xattr(volume(), narrow.id, kAccessAcl)))).entries()[3].permissions, 0)
      << "the mask";

  Inode below = value_of(make(volume(), {}, directory.id, "e", {.type = FileType::kDirectory, .mode = 0777}));
  EXPECT_EQ(below.mode, 0664u);
  EXPECT_TRUE(below.has_default_acl);
  EXPECT_EQ(value_of(get_xattr(volume(), below.id, kDefaultAcl)), extended_acl());

  Inode link = value_of(make(volume(), {}, directory.id, "l", {.type = FileType::kSymlink, .symlink_target = "f"}));
  EXPECT_EQ(link.mode, 0777u);
  EXPECT_FALSE(link.has_xattrs);
}

TEST_P(AttributesTest, AMinimalDefaultAclLeavesNoAccessAcl) {
  Inode directory = make_directory("d");
  set_value(directory.id, kDefaultAcl,
            acl_value({{Tag::kUserObject, 6, kNone}, {Tag::kGroupObject, 4, kNone}, {Tag::kOther, 0, kNone}}));
  Inode file = value_of(make(volume(), {}, directory.id, "f", {.mode = 0666}));
  EXPECT_EQ(file.mode, 0640u);
  EXPECT_FALSE(file.has_xattrs);
}

TEST_P(AttributesTest, ARemovedDefaultAclIsNotInheritedAnyMore) {
  Inode directory = make_directory("d");
  set_value(directory.id, kDefaultAcl, extended_acl());
  Inode now = value_of(remove_xattr(volume(), {}, directory.id, kDefaultAcl));
  EXPECT_FALSE(now.has_default_acl);
  EXPECT_FALSE(now.has_xattrs);
  EXPECT_EQ(value_of(make(volume(), {}, directory.id, "f", {.mode = 0666, .umask = 022})).mode, 0644u);
}

}  // namespace
}  // namespace weir::meta
