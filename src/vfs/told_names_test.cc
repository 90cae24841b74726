#include "vfs/told_names.h"

#include <gtest/gtest.h>

#include "base/limits.h"
#include "testing/fake_clock.h"

namespace weir::vfs {
namespace {

constexpr InodeId kDirectory{1};
constexpr InodeId kFile{7};

class ToldNamesTest : public ::testing::Test {
 protected:
  std::vector<std::string> names() {
    std::vector<std::string> names;
    if (const auto told = told_.of(kFile))
      for (const meta::NamePlace& place : told->names) names.push_back(place.name);
    return names;
  }
  uint64_t generation() {
    const auto told = told_.of(kFile);
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
  told_.moved(kFile, kDirectory, "a", InodeId{2}, "c");
  told_.moved(kFile, kDirectory, "never told", InodeId{2}, "d");
  told_.forget(kFile, kDirectory, "b");
  EXPECT_EQ(told_.of(kFile)->names, std::vector<meta::NamePlace>({{InodeId{2}, "c"}}));
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

TEST_F(ToldNamesTest, the_generation_is_unknown_while_answers_about_two_may_overtake_each_other) {
  clock_.advance_ms(5'000);
  told_.tell(kFile, 4, kDirectory, "a");
  EXPECT_EQ(generation(), 4u);
  clock_.advance_ms(500);
  told_.tell(kFile, 5, kDirectory, "a");
  EXPECT_EQ(generation(), 5u);
  clock_.advance_ms(20);
  told_.tell(kFile, 4, kDirectory, "a");
  EXPECT_EQ(generation(), 0u);
  clock_.advance_ms(200);
  EXPECT_EQ(generation(), 5u);
  told_.changed_here(kFile, 5, 6);
  told_.changed_here(kFile, 9, 10);
  EXPECT_EQ(generation(), 6u);
}

}  // namespace
}  // namespace weir::vfs
