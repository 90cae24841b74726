#include "meta/volume_testing.h"

namespace weir::meta {
namespace {

using Names = std::vector<std::string>;

class RenameTest : public VolumeTest {
 protected:
  Result<Renamed> move(std::string_view name, std::string_view new_name, RenameFlags flags = {},
                       InodeId parent = kRootInode, InodeId new_parent = kRootInode) {
    return rename(volume(), {}, parent, name, new_parent, new_name, flags, nothing_open);
  }
};
INSTANTIATE_TEST_SUITE_P(Engines, RenameTest, all_engines(), engine_of);

constexpr RenameFlags kNoReplace{.no_replace = true};
constexpr RenameFlags kExchange{.exchange = true};

TEST_P(RenameTest, GivesAFileAnotherName) {
  Inode file = make_file("a");
  test_.clock().advance_ms(1);
  Renamed renamed = value_of(move("a", "b"));
  EXPECT_EQ(renamed.moved.id, file.id);
  EXPECT_GT(renamed.moved.ctime_ns, file.ctime_ns);
  EXPECT_FALSE(renamed.replaced);
  EXPECT_EQ(names(), Names({"b"}));
  EXPECT_EQ(inode(kRootInode).size, 1u);
  EXPECT_GT(inode(kRootInode).mtime_ns, file.mtime_ns);
}

TEST_P(RenameTest, ReplacesAFile) {
  Inode file = make_file("a");
  Inode old = make_file("b");
  Renamed renamed = value_of(move("a", "b"));
  ASSERT_TRUE(renamed.replaced);
  EXPECT_EQ(renamed.replaced->inode.id, old.id);
  EXPECT_TRUE(renamed.replaced->gone);
  EXPECT_EQ(value_of(lookup(volume(), kRootInode, "b")).id, file.id);
  EXPECT_EQ(names(), Names({"b"}));
  EXPECT_EQ(inode(kRootInode).size, 1u);
  EXPECT_EQ(outcome(get_inode(volume(), old.id)), "not_found");
}

TEST_P(RenameTest, AReplacedFileThatIsOpenStaysAsAnOrphan) {
  make_file("a");
  Inode old = make_file("b");
  Renamed renamed = value_of(rename(volume(), {}, kRootInode, "a", kRootInode, "b", {}, all_open));
  EXPECT_FALSE(renamed.replaced->gone);
  EXPECT_EQ(value_of(orphans_of_this_node(volume())), std::vector<InodeId>({old.id}));
}

TEST_P(RenameTest, TwoNamesOfOneInodeStayBoth) {
  Inode file = make_file("a");
  value_of(link(volume(), {}, file.id, kRootInode, "b"));
  Renamed renamed = value_of(move("a", "b"));
  EXPECT_FALSE(renamed.replaced);
  EXPECT_EQ(names(), Names({"a", "b"}));
  EXPECT_EQ(inode(file.id).link_count, 2u);
  value_of(move("a", "a"));
  EXPECT_EQ(names(), Names({"a", "b"}));
}

TEST_P(RenameTest, MovesBetweenDirectories) {
  Inode from = make_directory("from"), to = make_directory("to");
  Inode directory = make_directory("d", from.id);
  make_file("f", from.id);
  value_of(move("d", "e", {}, from.id, to.id));
  value_of(move("f", "f", {}, from.id, to.id));
  EXPECT_EQ(names(from.id), Names());
  EXPECT_EQ(names(to.id), Names({"e", "f"}));
  EXPECT_EQ(inode(from.id).link_count, 2u);
  EXPECT_EQ(inode(from.id).size, 0u);
  EXPECT_EQ(inode(to.id).link_count, 3u);
  EXPECT_EQ(inode(to.id).size, 2u);
  EXPECT_EQ(inode(directory.id).parent, to.id);
}

TEST_P(RenameTest, ADirectoryReplacesOnlyAnEmptyDirectory) {
  Inode directory = make_directory("d"), full = make_directory("full");
  make_file("f", full.id);
  make_directory("empty");
  make_file("file");
  EXPECT_EQ(outcome(move("d", "full")), "not_empty");
  EXPECT_EQ(outcome(move("d", "file")), "not_directory");
  EXPECT_EQ(outcome(move("file", "d")), "is_directory");
  Renamed renamed = value_of(move("d", "empty"));
  EXPECT_TRUE(renamed.replaced->gone);
  EXPECT_EQ(value_of(lookup(volume(), kRootInode, "empty")).id, directory.id);
  EXPECT_EQ(inode(kRootInode).link_count, 4u);
  EXPECT_EQ(inode(kRootInode).size, 3u);
}

TEST_P(RenameTest, NothingMovesBelowItself) {
  Inode a = make_directory("a");
  Inode b = make_directory("b", a.id);
  Inode c = make_directory("c", b.id);
  EXPECT_EQ(outcome(move("a", "x", {}, kRootInode, a.id)), "invalid");
  EXPECT_EQ(outcome(move("a", "x", {}, kRootInode, c.id)), "invalid");
  EXPECT_EQ(outcome(move("a", "c", kExchange, kRootInode, b.id)), "invalid");
  EXPECT_EQ(outcome(move("c", "a", kExchange, b.id, kRootInode)), "invalid");
  EXPECT_EQ(outcome(move("b", "a", {}, a.id, kRootInode)), "not_empty");
}

TEST_P(RenameTest, NoReplaceLeavesWhatIsThere) {
  Inode file = make_file("a");
  make_file("b");
  value_of(link(volume(), {}, file.id, kRootInode, "c"));
  EXPECT_EQ(outcome(move("a", "b", kNoReplace)), "exists");
  EXPECT_EQ(outcome(move("a", "c", kNoReplace)), "exists");
  EXPECT_EQ(outcome(move("a", "d", kNoReplace)), "ok");
  EXPECT_EQ(names(), Names({"b", "c", "d"}));
}

TEST_P(RenameTest, ExchangeSwapsADirectoryAndAFile) {
  Inode from = make_directory("from"), to = make_directory("to");
  Inode directory = make_directory("x", from.id);
  Inode file = make_file("y", to.id);
  EXPECT_EQ(outcome(move("x", "nothing", kExchange, from.id, to.id)), "not_found");
  Renamed renamed = value_of(move("x", "y", kExchange, from.id, to.id));
  EXPECT_EQ(renamed.moved.id, directory.id);
  ASSERT_TRUE(renamed.replaced);
  EXPECT_EQ(renamed.replaced->inode.id, file.id);
  EXPECT_FALSE(renamed.replaced->gone);
  EXPECT_EQ(value_of(lookup(volume(), from.id, "x")).id, file.id);
  EXPECT_EQ(value_of(lookup(volume(), to.id, "y")).id, directory.id);
  EXPECT_EQ(inode(directory.id).parent, to.id);
  EXPECT_EQ(inode(from.id).link_count, 2u);
  EXPECT_EQ(inode(to.id).link_count, 3u);
  EXPECT_EQ(inode(from.id).size, 1u);
  EXPECT_EQ(outcome(rename(volume(), {}, from.id, "x", to.id, "y", {true, true}, nothing_open)), "invalid");
}

TEST_P(RenameTest, WhatIsNotThereIsNotMoved) {
  EXPECT_EQ(outcome(move("a", "b")), "not_found");
  Inode file = make_file("f");
  EXPECT_EQ(outcome(move("f", "g", {}, kRootInode, file.id)), "not_directory");
  EXPECT_EQ(outcome(move("f", "g", {}, kRootInode, InodeId{777})), "not_found");
}

}  // namespace
}  // namespace weir::meta
