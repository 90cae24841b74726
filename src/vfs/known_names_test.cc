#include "vfs/known_names.h"

#include <gtest/gtest.h>

#include "base/limits.h"
#include "testing/fake_clock.h"

namespace weir::vfs {
namespace {

constexpr InodeId kDirectory{1};
constexpr InodeId kOther{2};

class KnownNamesTest : public ::testing::Test {
 protected:
  uint64_t known(InodeId parent, std::string_view name) {
    const auto known = names_.of(parent, name);
    return known ? known->inode.value : 0;
  }
  uint64_t before(std::string_view name) {
    const auto known = names_.of(kDirectory, name);
    return known && known->before ? known->before->value : 0;
  }

  testing::FakeClock clock_;
  KnownNames names_{clock_, 1000};
};

TEST_F(KnownNamesTest, the_last_that_was_told_of_a_name_is_known_for_longer_than_the_kernel_goes_by_it) {
  EXPECT_EQ(known(kDirectory, "a"), 0u);
  for (int start_ms = 0; start_ms < 9'000; start_ms += 700) {
    SCOPED_TRACE(start_ms);
    clock_.advance_ms(10'000 + start_ms);
    names_.tell(kDirectory, "a", InodeId{7});
    names_.tell(kDirectory, "a", InodeId{8});
    names_.tell(kOther, "a", InodeId{9});
    clock_.advance_ms(1'500);
    for (int i = 0; i < 50; ++i) names_.tell(kOther, std::to_string(i), InodeId{10});
    EXPECT_EQ(known(kDirectory, "a"), 8u);
    EXPECT_EQ(known(kOther, "a"), 9u);
    clock_.advance_ms(1'000);
    EXPECT_EQ(known(kDirectory, "a"), 0u);
  }
}

TEST_F(KnownNamesTest, what_a_name_stood_for_before_is_known_for_a_moment_unless_the_kernel_changed_it) {
  names_.tell(kDirectory, "a", InodeId{7});
  EXPECT_EQ(before("a"), 0u);
  EXPECT_TRUE(names_.of(kDirectory, "a")->is(InodeId{7}));
  names_.tell(kDirectory, "a", InodeId{8});
  names_.tell(kDirectory, "a", InodeId{8});
  EXPECT_EQ(before("a"), 7u);
  EXPECT_FALSE(names_.of(kDirectory, "a")->is(InodeId{8}));
  clock_.advance_ms(1'001);
  EXPECT_EQ(before("a"), 0u);
  EXPECT_TRUE(names_.of(kDirectory, "a")->is(InodeId{8}));
  names_.tell(kDirectory, "a", InodeId{9});
  names_.put(kDirectory, "a", InodeId{10});
  EXPECT_EQ(before("a"), 0u);
  EXPECT_TRUE(names_.of(kDirectory, "a")->is(InodeId{10}));
}

TEST_F(KnownNamesTest, what_this_node_removes_is_forgotten) {
  names_.tell(kDirectory, "a", InodeId{7});
  names_.tell(kDirectory, "b", InodeId{7});
  names_.forget(kDirectory, "a");
  EXPECT_EQ(known(kDirectory, "a"), 0u);
  EXPECT_EQ(known(kDirectory, "b"), 7u);
}

TEST_F(KnownNamesTest, names_are_bounded_and_nothing_wrong_is_known_where_there_is_no_room) {
  names_.tell(kDirectory, "a", InodeId{7});
  clock_.advance_ms(2'100);
  for (uint64_t i = 0; i < 2 * limits::kToldNames; ++i) names_.tell(kOther, std::to_string(i), InodeId{10});
  EXPECT_EQ(known(kOther, "0"), 10u);
  EXPECT_EQ(known(kOther, std::to_string(2 * limits::kToldNames - 1)), 0u);
  names_.tell(kDirectory, "a", InodeId{8});
  EXPECT_EQ(known(kDirectory, "a"), 0u);
  clock_.advance_ms(2'100);
  names_.tell(kDirectory, "a", InodeId{9});
  EXPECT_EQ(known(kDirectory, "a"), 9u);
}

}  // namespace
}  // namespace weir::vfs
