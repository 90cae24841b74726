#include "vfs/told_attributes.h"

#include <gtest/gtest.h>

#include "base/limits.h"
#include "testing/fake_clock.h"

namespace weir::vfs {
namespace {

class ToldAttributesTest : public ::testing::Test {
 protected:
  static Attributes of_size(uint64_t size) {
    Attributes attributes;
    attributes.size = size;
    return attributes;
  }
  std::optional<uint64_t> size(KernelNode node) {
    const auto told = told_.of(node);
    return told ? std::optional(told->size) : std::nullopt;
  }

  testing::FakeClock clock_;
  ToldAttributes told_{clock_, 1000};
  const KernelNode node_ = KernelNode::of(InodeId{7}, 0);
  const KernelNode later_ = KernelNode::of(InodeId{7}, 1);
};

TEST_F(ToldAttributesTest, they_are_remembered_for_one_lifetime) {
  EXPECT_EQ(size(node_), std::nullopt);
  for (int start_ms = 0; start_ms < 3'000; start_ms += 300) {
    SCOPED_TRACE(start_ms);
    clock_.advance_ms(10'000 + start_ms);
    told_.tell(node_, 1, of_size(10));
    clock_.advance_ms(900);
    told_.tell(KernelNode::of(InodeId{7 + 16}, 0), 1, of_size(20));
    EXPECT_EQ(size(node_), 10u);
    EXPECT_EQ(size(later_), std::nullopt);
    clock_.advance_ms(200);
    EXPECT_EQ(size(node_), std::nullopt);
  }
}

TEST_F(ToldAttributesTest, an_answer_that_was_overtaken_does_not_bring_an_older_content_back) {
  told_.tell(node_, 2, of_size(20));
  told_.tell(node_, 1, of_size(10));
  EXPECT_EQ(size(node_), 20u);
  told_.tell(node_, 2, of_size(21));
  EXPECT_EQ(size(node_), 21u);
}

TEST_F(ToldAttributesTest, nothing_is_shown_of_what_is_gone_whenever_it_was_told) {
  told_.tell(node_, 1, of_size(10));
  told_.gone(node_);
  EXPECT_EQ(size(node_), std::nullopt);
  told_.tell(node_, 2, of_size(20));
  EXPECT_EQ(size(node_), std::nullopt);
  told_.gone(later_);
  told_.tell(later_, 1, of_size(10));
  EXPECT_EQ(size(later_), std::nullopt);
}

TEST_F(ToldAttributesTest, what_changes_here_is_remembered_if_the_kernel_was_told_of_it) {
  told_.changed(node_, 1, of_size(10));
  EXPECT_EQ(size(node_), std::nullopt);
  told_.tell(node_, 1, of_size(10));
  told_.changed(node_, 2, of_size(20));
  told_.changed(later_, 2, of_size(30));
  EXPECT_EQ(size(node_), 20u);
  EXPECT_EQ(size(later_), std::nullopt);
}

TEST_F(ToldAttributesTest, what_is_out_of_date_can_be_forgotten) {
  told_.tell(node_, 1, of_size(10));
  told_.tell(later_, 1, of_size(20));
  told_.forget(node_);
  EXPECT_EQ(size(node_), std::nullopt);
  EXPECT_EQ(size(later_), 20u);
}

TEST_F(ToldAttributesTest, they_are_bounded) {
  for (uint64_t id = 0; id < 2 * limits::kToldNames; ++id) told_.tell(KernelNode::of(InodeId{id}, 0), 1, of_size(id));
  EXPECT_EQ(size(KernelNode::of(InodeId{5}, 0)), 5u);
  EXPECT_EQ(size(KernelNode::of(InodeId{2 * limits::kToldNames - 1}, 0)), std::nullopt);
  clock_.advance_ms(1100);
  told_.tell(KernelNode::of(InodeId{2 * limits::kToldNames - 1}, 0), 1, of_size(3));
  EXPECT_EQ(size(KernelNode::of(InodeId{2 * limits::kToldNames - 1}, 0)), 3u);
}

TEST_F(ToldAttributesTest, what_is_gone_is_not_shown_where_there_is_no_room_to_remember_that) {
  clock_.advance_ms(10'000);
  told_.tell(node_, 1, of_size(10));
  clock_.advance_ms(999);
  // Of its shard the next lifetime is full before it is heard of again.
  told_.tell(node_, 1, of_size(10));
  clock_.advance_ms(1);
  for (uint64_t id = 100; id < 100 + 2 * limits::kToldNames; ++id)
    told_.tell(KernelNode::of(InodeId{id}, 0), 1, of_size(id));
  EXPECT_EQ(size(node_), 10u);
  told_.gone(node_);
  EXPECT_EQ(size(node_), std::nullopt);
}

}  // namespace
}  // namespace weir::vfs
