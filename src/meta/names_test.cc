#include "meta/names.h"

#include <sys/stat.h>

#include "base/limits.h"
#include "meta/volume_testing.h"

namespace weir::meta {
namespace {

class NamesTest : public VolumeTest {};
INSTANTIATE_TEST_SUITE_P(Engines, NamesTest, all_engines(), engine_of);

using Names = std::vector<std::string>;

TEST_P(NamesTest, AnEmptyVolumeHasARootDirectory) {
  Inode root = inode(kRootInode);
  EXPECT_EQ(root.type, FileType::kDirectory);
  EXPECT_EQ(root.link_count, 2u);
  EXPECT_EQ(root.size, 0u);
  EXPECT_EQ(root.parent, kRootInode);
}

TEST_P(NamesTest, WhatWasMadeIsFoundUnderItsName) {
  Inode made = make_file("a");
  Inode found = value_of(lookup(volume(), kRootInode, "a"));
  EXPECT_EQ(found, made);
  EXPECT_EQ(found.link_count, 1u);
  EXPECT_EQ(lookup_outcome("b"), "not_found");
}

TEST_P(NamesTest, ANameIsMadeOnce) {
  make_file("a");
  EXPECT_EQ(outcome(make(volume(), {}, kRootInode, "a", {})), "exists");
  EXPECT_EQ(names(), Names({"a"}));
}

TEST_P(NamesTest, LookingInAFileSaysSo) {
  Inode file = make_file("a");
  EXPECT_EQ(lookup_outcome("b", file.id), "not_directory");
  EXPECT_EQ(outcome(make(volume(), {}, file.id, "b", {})), "not_directory");
  EXPECT_EQ(outcome(make(volume(), {}, InodeId{12345}, "b", {})), "not_found");
}

TEST_P(NamesTest, BadNamesAreRefused) {
  for (std::string_view name : {std::string_view(""), std::string_view("."), std::string_view(".."),
                                std::string_view("a/b"), std::string_view("a\0b", 3)}) {
    EXPECT_EQ(outcome(make(volume(), {}, kRootInode, name, {})), "invalid") << name;
    EXPECT_EQ(lookup_outcome(name), "invalid") << name;
  }
  EXPECT_EQ(outcome(make(volume(), {}, kRootInode, std::string(256, 'x'), {})), "name_too_long");
  make_file(std::string(255, 'x'));
  EXPECT_EQ(lookup_outcome(std::string(255, 'x')), "ok");
}

TEST_P(NamesTest, DirectoriesCountEntriesAndSubdirectories) {
  Inode directory = make_directory("d");
  EXPECT_EQ(directory.link_count, 2u);
  EXPECT_EQ(directory.parent, kRootInode);
  make_directory("e", directory.id);
  make_file("f", directory.id);
  Inode now = inode(directory.id);
  EXPECT_EQ(now.link_count, 3u);
  EXPECT_EQ(now.size, 2u);
  EXPECT_EQ(value_of(lookup(volume(), kRootInode, "d")).link_count, 3u);
  EXPECT_EQ(inode(kRootInode).link_count, 3u);
}

TEST_P(NamesTest, MakingMovesTheDirectorysTimes) {
  Inode before = inode(kRootInode);
  test_.clock().advance_ms(5);
  Inode made = make_file("a");
  Inode after = inode(kRootInode);
  EXPECT_GT(after.mtime_ns, before.mtime_ns);
  EXPECT_EQ(after.mtime_ns, made.mtime_ns);
  EXPECT_EQ(after.ctime_ns, made.mtime_ns);
  EXPECT_EQ(after.atime_ns, before.atime_ns);
}

TEST_P(NamesTest, SymlinksKeepTheirTarget) {
  NewInode wanted{.type = FileType::kSymlink, .mode = 0, .symlink_target = "../x"};
  value_of(make(volume(), {}, kRootInode, "l", wanted));
  Inode link = value_of(lookup(volume(), kRootInode, "l"));
  EXPECT_EQ(link.symlink_target, "../x");
  EXPECT_EQ(link.size, 4u);
  EXPECT_EQ(link.mode, 0777u);
  wanted.symlink_target = std::string(limits::kSymlinkBytes + 1, 'x');
  EXPECT_EQ(outcome(make(volume(), {}, kRootInode, "m", wanted)), "name_too_long");
}

TEST_P(NamesTest, DeviceFilesKeepTheirNumber) {
  value_of(make(volume(), {}, kRootInode, "d", {.type = FileType::kCharDevice, .mode = 0600, .device = 0x103}));
  EXPECT_EQ(value_of(lookup(volume(), kRootInode, "d")).device, 0x103u);
}

TEST_P(NamesTest, TheUmaskLimitsTheMode) {
  Inode file = value_of(make(volume(), {}, kRootInode, "a", {.mode = 06777, .umask = 022}));
  EXPECT_EQ(file.mode, 06755u);
}

TEST_P(NamesTest, ASetgidDirectoryPassesItsGroupOn) {
  Inode parent =
      value_of(make(volume(), {}, kRootInode, "d", {.type = FileType::kDirectory, .mode = 02775, .uid = 5, .gid = 77}));
  Inode file = value_of(make(volume(), {}, parent.id, "f", {.mode = 0644, .uid = 5, .gid = 5}));
  Inode directory =
      value_of(make(volume(), {}, parent.id, "e", {.type = FileType::kDirectory, .mode = 0755, .gid = 5}));
  EXPECT_EQ(file.gid, 77u);
  EXPECT_EQ(file.mode, 0644u);
  EXPECT_EQ(directory.gid, 77u);
  EXPECT_EQ(directory.mode, 02755u);
}

TEST_P(NamesTest, AnUnnamedFileGetsItsNameByLink) {
  Inode unnamed = value_of(make_unnamed(volume(), {}, kRootInode, {.mode = 0600}));
  EXPECT_EQ(unnamed.link_count, 0u);
  EXPECT_EQ(names(), Names());
  EXPECT_EQ(value_of(orphans_of_this_node(volume())), std::vector<InodeId>({unnamed.id}));
  Inode linked = value_of(link(volume(), {}, unnamed.id, kRootInode, "a"));
  EXPECT_EQ(linked.link_count, 1u);
  EXPECT_TRUE(value_of(orphans_of_this_node(volume())).empty());
  succeed(release_orphan(volume(), {}, unnamed.id));
  EXPECT_EQ(value_of(lookup(volume(), kRootInode, "a")).id, unnamed.id);
}

TEST_P(NamesTest, AnUnnamedFileGoesWhenReleased) {
  Inode unnamed = value_of(make_unnamed(volume(), {}, kRootInode, {.mode = 0600}));
  succeed(release_orphan(volume(), {}, unnamed.id));
  EXPECT_EQ(outcome(get_inode(volume(), unnamed.id)), "not_found");
  EXPECT_TRUE(value_of(orphans_of_this_node(volume())).empty());
}

TEST_P(NamesTest, HardLinksAreOneInode) {
  Inode file = make_file("a");
  Inode directory = make_directory("d");
  test_.clock().advance_ms(1);
  Inode linked = value_of(link(volume(), {}, file.id, directory.id, "b"));
  EXPECT_EQ(linked.link_count, 2u);
  EXPECT_GT(linked.ctime_ns, file.ctime_ns);
  EXPECT_EQ(linked.mtime_ns, file.mtime_ns);
  EXPECT_EQ(value_of(lookup(volume(), directory.id, "b")), linked);
  EXPECT_EQ(outcome(link(volume(), {}, file.id, directory.id, "b")), "exists");
  EXPECT_EQ(outcome(link(volume(), {}, directory.id, kRootInode, "e")), "permission");
  EXPECT_EQ(outcome(link(volume(), {}, InodeId{999}, kRootInode, "e")), "not_found");
}

TEST_P(NamesTest, UnlinkTakesOneNameAfterTheOther) {
  Inode file = make_file("a");
  value_of(link(volume(), {}, file.id, kRootInode, "b"));
  test_.clock().advance_ms(1);
  Removed first = value_of(unlink(volume(), {}, kRootInode, "a", nothing_open));
  EXPECT_FALSE(first.gone);
  EXPECT_EQ(first.inode.link_count, 1u);
  EXPECT_GT(first.inode.ctime_ns, file.ctime_ns);
  EXPECT_EQ(lookup_outcome("a"), "not_found");
  Removed last = value_of(unlink(volume(), {}, kRootInode, "b", nothing_open));
  EXPECT_TRUE(last.gone);
  EXPECT_EQ(last.inode.link_count, 0u);
  EXPECT_EQ(outcome(get_inode(volume(), file.id)), "not_found");
  EXPECT_EQ(inode(kRootInode).size, 0u);
  EXPECT_EQ(outcome(unlink(volume(), {}, kRootInode, "b", nothing_open)), "not_found");
}

TEST_P(NamesTest, AnOpenFileStaysAsAnOrphanUntilReleased) {
  Inode file = make_file("a");
  Removed removed = value_of(unlink(volume(), {}, kRootInode, "a", all_open));
  EXPECT_FALSE(removed.gone);
  EXPECT_EQ(inode(file.id).link_count, 0u);
  EXPECT_EQ(value_of(orphans_of_this_node(volume())), std::vector<InodeId>({file.id}));
  succeed(release_orphan(volume(), {}, file.id));
  EXPECT_EQ(outcome(get_inode(volume(), file.id)), "not_found");
}

TEST_P(NamesTest, UnlinkLeavesDirectoriesAlone) {
  make_directory("d");
  EXPECT_EQ(outcome(unlink(volume(), {}, kRootInode, "d", nothing_open)), "is_directory");
  EXPECT_EQ(lookup_outcome("d"), "ok");
}

TEST_P(NamesTest, OnlyEmptyDirectoriesAreRemoved) {
  Inode directory = make_directory("d");
  make_file("f", directory.id);
  make_file("g");
  EXPECT_EQ(outcome(remove_directory(volume(), {}, kRootInode, "d", nothing_open)), "not_empty");
  EXPECT_EQ(outcome(remove_directory(volume(), {}, kRootInode, "g", nothing_open)), "not_directory");
  EXPECT_EQ(outcome(remove_directory(volume(), {}, kRootInode, "x", nothing_open)), "not_found");
  value_of(unlink(volume(), {}, directory.id, "f", nothing_open));
  Removed removed = value_of(remove_directory(volume(), {}, kRootInode, "d", nothing_open));
  EXPECT_TRUE(removed.gone);
  EXPECT_EQ(inode(kRootInode).link_count, 2u);
  EXPECT_EQ(outcome(make(volume(), {}, directory.id, "h", {})), "not_found");
}

TEST_P(NamesTest, NothingIsMadeInARemovedDirectoryThatIsOpen) {
  Inode directory = make_directory("d");
  Removed removed = value_of(remove_directory(volume(), {}, kRootInode, "d", all_open));
  EXPECT_FALSE(removed.gone);
  EXPECT_EQ(inode(directory.id).link_count, 0u);
  EXPECT_EQ(outcome(make(volume(), {}, directory.id, "f", {})), "not_found");
  EXPECT_TRUE(value_of(read_directory(volume(), directory.id, 0, 10, true)).empty());
  succeed(release_orphan(volume(), {}, directory.id));
  EXPECT_EQ(outcome(get_inode(volume(), directory.id)), "not_found");
}

}  // namespace
}  // namespace weir::meta
