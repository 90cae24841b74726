#include "meta/directory.h"

#include <map>
#include <set>

#include "meta/keys.h"
#include "meta/volume_testing.h"

namespace weir::meta {
namespace {

class DirectoryTest : public VolumeTest {
 protected:
  /// Walks the directory in steps.
  std::vector<DirectoryEntry> walk(InodeId directory, size_t step) {
    std::vector<DirectoryEntry> all;
    uint64_t cookie = 0;
    for (;;) {
      auto entries = value_of(read_directory(volume(), directory, cookie, step, false));
      all.insert(all.end(), entries.begin(), entries.end());
      if (entries.size() < step) return all;
      cookie = entries.back().cookie;
    }
  }
};
INSTANTIATE_TEST_SUITE_P(Engines, DirectoryTest, all_engines(), engine_of);

TEST_P(DirectoryTest, AWalkReturnsEveryEntryOnce) {
  std::map<std::string, InodeId> made;
  for (int i = 0; i < 100; ++i) {
    std::string name = fmt::format("file {}", i);
    made[name] = make_file(name).id;
  }
  for (size_t step : {1, 7, 100, 1000}) {
    auto entries = walk(kRootInode, step);
    std::map<std::string, InodeId> seen;
    uint64_t last = 2;
    for (const auto& entry : entries) {
      EXPECT_GT(entry.cookie, last);
      EXPECT_LT(entry.cookie, uint64_t{1} << 63);
      last = entry.cookie;
      seen[entry.name] = entry.inode;
    }
    EXPECT_EQ(entries.size(), 100u);
    EXPECT_EQ(seen, made);
  }
}

TEST_P(DirectoryTest, CookiesSurviveOtherChanges) {
  for (int i = 0; i < 50; ++i) make_file(fmt::format("f{}", i));
  auto before = walk(kRootInode, 1000);
  auto first_half = value_of(read_directory(volume(), kRootInode, 0, 25, false));
  for (int i = 0; i < 25; ++i) value_of(unlink(volume(), {}, kRootInode, first_half[i].name, nothing_open));
  for (int i = 0; i < 50; ++i) make_file(fmt::format("new{}", i));
  std::set<std::string> seen;
  for (auto& entry : value_of(read_directory(volume(), kRootInode, first_half.back().cookie, 1000, false)))
    EXPECT_TRUE(seen.insert(entry.name).second);
  for (size_t i = 25; i < before.size(); ++i) EXPECT_TRUE(seen.contains(before[i].name)) << before[i].name;
}

TEST_P(DirectoryTest, AttributesComeAlongWhenAsked) {
  Inode directory = make_directory("d");
  make_directory("sub", directory.id);
  Inode file = make_file("f");
  auto entries = value_of(read_directory(volume(), kRootInode, 0, 10, true));
  ASSERT_EQ(entries.size(), 2u);
  for (const auto& entry : entries) {
    ASSERT_TRUE(entry.attributes);
    EXPECT_EQ(*entry.attributes, inode(entry.inode));
    EXPECT_EQ(entry.type, entry.attributes->type);
    if (entry.name == "d") {
      EXPECT_EQ(entry.attributes->link_count, 3u);
    }
  }
  EXPECT_FALSE(value_of(read_directory(volume(), kRootInode, 0, 10, false))[0].attributes);
}

TEST_P(DirectoryTest, OnlyDirectoriesAreRead) {
  Inode file = make_file("f");
  EXPECT_EQ(outcome(read_directory(volume(), file.id, 0, 10, false)), "not_directory");
  EXPECT_EQ(outcome(read_directory(volume(), InodeId{999}, 0, 10, false)), "not_found");
}

TEST_P(DirectoryTest, NamesThatCollideLiveSideBySide) {
  VolumeTesting::make_names_collide(volume(), 0);  // all of them
  std::map<std::string, InodeId> expected;
  for (const char* name : {"a", "b", "c", "d"}) expected[name] = make_file(name).id;
  auto check_all = [&] {
    std::map<std::string, InodeId> seen;
    std::set<uint64_t> cookies;
    for (const auto& entry : walk(kRootInode, 1)) {
      seen[entry.name] = entry.inode;
      EXPECT_TRUE(cookies.insert(entry.cookie).second);
    }
    EXPECT_EQ(seen, expected);
    for (const auto& [name, id] : expected) EXPECT_EQ(value_of(lookup(volume(), kRootInode, name)).id, id) << name;
    EXPECT_EQ(lookup_outcome("absent"), "not_found");
  };
  check_all();
  value_of(unlink(volume(), {}, kRootInode, "b", nothing_open));
  expected.erase("b");
  check_all();
  expected["e"] = make_file("e").id;  // takes the free place
  check_all();
  value_of(rename(volume(), {}, kRootInode, "a", kRootInode, "f", {}, nothing_open));
  expected["f"] = expected["a"];
  expected.erase("a");
  check_all();
  value_of(rename(volume(), {}, kRootInode, "d", kRootInode, "g", {}, nothing_open));
  expected["g"] = expected["d"];
  expected.erase("d");
  check_all();
  EXPECT_EQ(outcome(make(volume(), {}, kRootInode, "g", {})), "exists");
  EXPECT_TRUE(value_of(check(volume(), false, nullptr, nullptr)).entries == 4);
}

TEST_P(DirectoryTest, TheLastNameMovedBehindItselfStaysFound) {
  VolumeTesting::make_names_collide(volume(), 0);
  Inode file = make_file("a");
  value_of(rename(volume(), {}, kRootInode, "a", kRootInode, "b", {}, nothing_open));
  EXPECT_EQ(value_of(lookup(volume(), kRootInode, "b")).id, file.id);
  EXPECT_EQ(names(), std::vector<std::string>({"b"}));
}

TEST_P(DirectoryTest, WhatCollisionsLeaveBehindDoesNotKeepADirectory) {
  VolumeTesting::make_names_collide(volume(), 0);
  Inode directory = make_directory("d");
  for (const char* name : {"a", "b", "c"}) make_file(name, directory.id);
  for (const char* name : {"a", "b", "c"}) value_of(unlink(volume(), {}, directory.id, name, nothing_open));
  EXPECT_TRUE(value_of(read_directory(volume(), directory.id, 0, 10, false)).empty());
  value_of(remove_directory(volume(), {}, kRootInode, "d", nothing_open));
  EXPECT_EQ(value_of(test_.engine().begin()->scan(keys::entries_behind(directory.id, 0), 10)).size(), 0u);
}

}  // namespace
}  // namespace weir::meta
