#include "vfs/told_names.h"

#include <gtest/gtest.h>

#include "base/limits.h"
#include "testing/fake_clock.h"

namespace weir::vfs {
namespace {

constexpr InodeId kDirectory{1};
constexpr InodeId kFile{7};
constexpr Caller kMover{.pid = 5};
constexpr Caller kOther{.pid = 6};

class ToldNamesTest : public ::testing::Test {
 protected:
  std::vector<std::string> names(const Caller& other = kOther) {
    std::vector<std::string> names;
    if (const auto told = told_.of(kFile, other))
      for (const meta::NamePlace& place : told->names) names.push_back(place.name);
    return names;
  }
  uint64_t generation() {
    const auto told = told_.of(kFile, kOther);
    return told ? told->generation : UINT64_MAX;
  }
  using Names = std::vector<std::string>;

  testing::FakeClock clock_;
  ToldNames told_{clock_, 1000};
};

TEST_F(ToldNamesTest, a_name_is_remembered_for_longer_than_the_kernel_goes_by_it_and_not_for_ever) {
  EXPECT_EQ(names(), Names());
  for (int start_ms = 0; start_ms < 5'000; start_ms += 700) {
    SCOPED_TRACE(start_ms);
    clock_.advance_ms(10'000 + start_ms);
    EXPECT_TRUE(told_.tell(kFile, 1, kDirectory, "a"));
    clock_.advance_ms(1'500);
    EXPECT_TRUE(told_.tell(InodeId{7 + 16}, 1, kDirectory, "other"));
    EXPECT_EQ(names(), Names({"a"}));
    clock_.advance_ms(1'000);
    EXPECT_EQ(names(), Names());
  }
}

TEST_F(ToldNamesTest, a_name_grows_old_though_others_of_the_inode_do_not) {
  told_.tell(kFile, 1, kDirectory, "a");
  for (int i = 0; i < 5; ++i) {
    clock_.advance_ms(900);
    told_.tell(kFile, 1, kDirectory, "b");
  }
  EXPECT_EQ(names(), Names({"b"}));
}

TEST_F(ToldNamesTest, names_follow_what_this_node_does_to_them) {
  told_.tell(kFile, 1, kDirectory, "a");
  told_.tell(kFile, 1, kDirectory, "b");
  told_.moved(kMover, kFile, {kDirectory, "a"}, {InodeId{2}, "c"});
  told_.moved(kMover, kFile, {kDirectory, "never told"}, {InodeId{2}, "d"});
  told_.forget(kMover, kFile, {kDirectory, "b"});
  EXPECT_EQ(told_.of(kFile, kMover)->names, std::vector<meta::NamePlace>({{InodeId{2}, "c"}}));
  clock_.advance_ms(1000);
  EXPECT_EQ(told_.of(kFile, kOther)->names, std::vector<meta::NamePlace>({{InodeId{2}, "c"}}));
}

TEST_F(ToldNamesTest, until_the_kernel_has_taken_the_answer_others_may_go_by_a_name_that_was_moved_or_removed) {
  told_.tell(kFile, 1, kDirectory, "a");
  told_.tell(kFile, 1, kDirectory, "b");
  told_.moved(kMover, kFile, {kDirectory, "a"}, {kDirectory, "c"});
  clock_.advance_ms(600);
  told_.forget({.pid = 0}, kFile, {kDirectory, "b"});
  EXPECT_EQ(names(), Names({"c", "a", "b"}));
  EXPECT_EQ(names(kMover), Names({"c", "b"}));
  EXPECT_EQ(names({.pid = 0}), Names({"c", "a", "b"}));
  clock_.advance_ms(600);
  EXPECT_EQ(names(), Names({"c", "b"}));
  clock_.advance_ms(600);
  EXPECT_EQ(names(), Names({"c"}));
}

TEST_F(ToldNamesTest, of_names_that_were_moved_in_quick_succession_the_last_are_remembered_with_the_one_that_is) {
  told_.tell(kFile, 1, kDirectory, "0");
  for (int i = 0; i < 20; ++i)
    told_.moved(kMover, kFile, {kDirectory, std::to_string(i)}, {kDirectory, std::to_string(i + 1)});
  EXPECT_EQ(names(), Names({"20", "12", "13", "14", "15", "16", "17", "18", "19"}));
}

TEST_F(ToldNamesTest, more_names_than_are_remembered_are_not_to_be_kept) {
  for (int i = 0; i < 8; ++i) EXPECT_TRUE(told_.tell(kFile, 1, kDirectory, std::to_string(i)));
  EXPECT_FALSE(told_.tell(kFile, 1, kDirectory, "9"));
  EXPECT_TRUE(told_.tell(kFile, 1, kDirectory, "3"));
  clock_.advance_ms(2'001);
  EXPECT_TRUE(told_.tell(kFile, 1, kDirectory, "9"));
}

TEST_F(ToldNamesTest, more_inodes_than_are_remembered_are_not_to_be_kept_for_a_while) {
  size_t kept = 0;
  for (uint64_t i = 0; i < 2 * limits::kToldNames; ++i) kept += told_.tell(InodeId{i}, 1, kDirectory, "a") ? 1 : 0;
  EXPECT_EQ(kept, limits::kToldNames);
  clock_.advance_ms(2'001);
  EXPECT_TRUE(told_.tell(InodeId{2 * limits::kToldNames}, 1, kDirectory, "a"));
}

/// A file that another node had just written was read as if it was empty: the answer with its new size was given, and
/// lay there until the program that had asked for it ran, while another program opened the file.
TEST_F(ToldNamesTest, the_generation_is_unknown_while_the_kernel_may_go_by_another_one) {
  clock_.advance_ms(5'000);
  told_.tell(kFile, 4, kDirectory, "a");
  EXPECT_EQ(generation(), 4u);
  clock_.advance_ms(500);
  told_.tell(kFile, 5, kDirectory, "a");
  EXPECT_EQ(generation(), 0u);
  clock_.advance_ms(900);
  EXPECT_EQ(generation(), 0u);
  told_.tell(kFile, 4, kDirectory, "a");
  clock_.advance_ms(900);
  EXPECT_EQ(generation(), 0u);
  clock_.advance_ms(200);
  EXPECT_EQ(generation(), 5u);
  told_.changed_here(kFile, 5, 6);
  told_.changed_here(kFile, 9, 10);
  EXPECT_EQ(generation(), 6u);
}

}  // namespace
}  // namespace weir::vfs
