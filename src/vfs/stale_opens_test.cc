#include "vfs/stale_opens.h"

#include <gtest/gtest.h>

#include "testing/fake_clock.h"

namespace weir::vfs {
namespace {

constexpr InodeId kDirectory{1};

class StaleOpensTest : public ::testing::Test {
 protected:
  /// The kernel's request and our answer.
  void look_up(const Caller& caller, uint64_t id, uint64_t size = 0) {
    Inode inode;
    inode.id = InodeId{id};
    inode.size = size;
    stale_.looks_up(caller, kDirectory, "name");
    stale_.looked_up(caller, kDirectory, "name", inode);
  }
  void find_nothing(const Caller& caller, std::string_view name) {
    stale_.looks_up(caller, kDirectory, name);
    stale_.looked_up(caller, kDirectory, name, std::nullopt);
  }
  bool comes_back(const Caller& caller, uint64_t id) { return stale_.comes_back(caller, InodeId{id}).again; }

  testing::FakeClock clock_;
  StaleOpens stale_{clock_};
  const Caller one_{.pid = 1};
  const Caller two_{.pid = 2};
  const KernelNode node_ = KernelNode::of(InodeId{7}, 0);
  const KernelNode other_ = KernelNode::of(InodeId{8}, 0);
};

TEST_F(StaleOpensTest, the_same_thread_is_told_once_in_ten_seconds) {
  EXPECT_TRUE(stale_.tell(one_, node_));
  EXPECT_TRUE(stale_.tell(two_, node_));
  EXPECT_FALSE(stale_.tell(one_, node_));
  EXPECT_TRUE(stale_.tell(one_, node_));
  EXPECT_TRUE(stale_.tell(one_, other_));  // it opened something else in between
  EXPECT_TRUE(stale_.tell(one_, node_));
  clock_.advance_ms(10'001);
  EXPECT_TRUE(stale_.tell(one_, node_));
  EXPECT_FALSE(stale_.tell(one_, node_));
}

TEST_F(StaleOpensTest, who_looked_a_name_up_goes_on_with_what_was_there_then_until_the_call_is_over) {
  const auto goes_on_with = [&](const Caller& caller, uint64_t id) {
    const auto inode = stale_.goes_on_with(caller, InodeId{id});
    return inode ? static_cast<int64_t>(inode->size) : -1;
  };
  EXPECT_EQ(goes_on_with(one_, 8), -1);
  EXPECT_TRUE(stale_.tell(one_, node_));
  EXPECT_EQ(goes_on_with(one_, 8), -1);
  look_up(one_, 8, 80);
  EXPECT_EQ(goes_on_with(one_, 8), 80);
  EXPECT_EQ(goes_on_with(one_, 7), -1);
  EXPECT_EQ(goes_on_with(two_, 8), -1);
  EXPECT_TRUE(comes_back(one_, 8));
  EXPECT_EQ(goes_on_with(one_, 8), -1);
  // Another name is of another call.
  EXPECT_TRUE(stale_.tell(one_, node_));
  look_up(one_, 8, 80);
  Inode other;
  other.id = InodeId{9};
  other.type = FileType::kFile;
  stale_.looks_up(one_, kDirectory, "another name");
  stale_.looked_up(one_, kDirectory, "another name", other);
  EXPECT_EQ(goes_on_with(one_, 9), -1);
  EXPECT_FALSE(comes_back(one_, 8));
}

TEST_F(StaleOpensTest, who_looked_a_name_up_comes_back_with_what_it_stands_for_and_nothing_else) {
  EXPECT_FALSE(comes_back(one_, 7));
  EXPECT_TRUE(stale_.tell(one_, node_));
  EXPECT_FALSE(comes_back(one_, 7));  // by a descriptor, maybe
  look_up(two_, 8);
  look_up(one_, 1);
  look_up(one_, 8);
  EXPECT_FALSE(comes_back(two_, 8));
  EXPECT_FALSE(comes_back(one_, 7));
  EXPECT_TRUE(comes_back(one_, 8));
  EXPECT_FALSE(comes_back(one_, 8));
  // The same node id by another name later is told again.
  EXPECT_TRUE(stale_.tell(one_, node_));
  look_up(one_, 7);
  EXPECT_TRUE(stale_.tell(one_, node_));
}

/// open() of a name that another node removes and makes again failed with ESTALE: the kernel finds it absent first, and
/// then looks once more.
TEST_F(StaleOpensTest, a_name_that_was_absent_and_is_there_again_is_come_back_with) {
  EXPECT_TRUE(stale_.tell(one_, node_));
  look_up(one_, 1);
  find_nothing(one_, "name");
  EXPECT_FALSE(comes_back(one_, 8));
  look_up(one_, 8);
  EXPECT_TRUE(comes_back(one_, 8));
  // In another call another name is looked up, or the same one later.
  EXPECT_TRUE(stale_.tell(one_, node_));
  find_nothing(one_, "other");
  look_up(one_, 8);
  EXPECT_FALSE(comes_back(one_, 8));
  EXPECT_TRUE(stale_.tell(one_, node_));
  find_nothing(one_, "name");
  clock_.advance_ms(10'001);
  look_up(one_, 8);
  EXPECT_FALSE(comes_back(one_, 8));
}

/// open(O_CREAT) failed with ESTALE on a busy node.
TEST_F(StaleOpensTest, who_found_nothing_may_wait_for_the_directory_before_it_looks_once_more) {
  EXPECT_TRUE(stale_.tell(one_, node_));
  find_nothing(one_, "name");
  clock_.advance_ms(400);
  look_up(one_, 8);
  EXPECT_TRUE(comes_back(one_, 8));
}

/// rename() and open() failed with ESTALE where the second look took longer than a second.
TEST_F(StaleOpensTest, who_was_told_may_take_its_time_to_look_again) {
  EXPECT_TRUE(stale_.tell_of_name(one_, kDirectory, "a"));
  EXPECT_TRUE(stale_.tell(one_, node_));
  clock_.advance_ms(3000);
  EXPECT_FALSE(stale_.tell_of_name(one_, kDirectory, "a"));
  look_up(one_, 8);
  clock_.advance_ms(3000);
  EXPECT_TRUE(comes_back(one_, 8));
}

TEST_F(StaleOpensTest, a_request_that_is_done_anew_is_not_another_one) {
  const Caller request{.pid = 1, .unique = 10};
  const Caller later{.pid = 1, .unique = 12};
  EXPECT_TRUE(stale_.tell(one_, node_));
  look_up(one_, 8);
  for (int i = 0; i < 3; ++i) {
    EXPECT_TRUE(stale_.comes_back(request, InodeId{8}).again);
    clock_.advance_ms(5000);  // the database was away
  }
  EXPECT_FALSE(stale_.comes_back(later, InodeId{8}).again);
  EXPECT_TRUE(stale_.tell(one_, node_));
  look_up(one_, 8);
  EXPECT_TRUE(stale_.comes_back(request, InodeId{8}).again);
  look_up(one_, 8);
  EXPECT_FALSE(stale_.comes_back(request, InodeId{8}).again);

  EXPECT_TRUE(stale_.tell(one_, node_));
  for (int i = 0; i < 3; ++i) {
    EXPECT_FALSE(stale_.tell(request, node_));
    clock_.advance_ms(5000);
  }
  EXPECT_TRUE(stale_.tell(later, node_));

  EXPECT_TRUE(stale_.tell_of_name(one_, kDirectory, "a"));
  for (int i = 0; i < 3; ++i) {
    EXPECT_FALSE(stale_.tell_of_name(request, kDirectory, "a"));
    clock_.advance_ms(5000);
  }
  EXPECT_TRUE(stale_.tell_of_name(later, kDirectory, "a"));
}

TEST_F(StaleOpensTest, a_call_that_found_nothing_is_over_when_it_looked_twice) {
  EXPECT_TRUE(stale_.tell(one_, node_));
  find_nothing(one_, "name");
  find_nothing(one_, "name");
  look_up(one_, 8);
  EXPECT_FALSE(comes_back(one_, 8));
}

TEST_F(StaleOpensTest, only_who_was_told_and_looks_again_gets_answers_that_hold_for_that_call_alone) {
  Inode inode;
  inode.id = InodeId{8};
  EXPECT_FALSE(stale_.looked_up(one_, kDirectory, "name", inode));
  EXPECT_TRUE(stale_.tell(one_, node_));
  stale_.looks_up(one_, kDirectory, "name");
  EXPECT_TRUE(stale_.looked_up(one_, kDirectory, "name", inode));
  stale_.looks_up(two_, kDirectory, "name");
  EXPECT_FALSE(stale_.looked_up(two_, kDirectory, "name", inode));
  EXPECT_TRUE(comes_back(one_, 8));
  stale_.looks_up(one_, kDirectory, "name");
  EXPECT_FALSE(stale_.looked_up(one_, kDirectory, "name", inode));
}

TEST_F(StaleOpensTest, what_it_looked_up_for_another_call_is_not_come_back_with) {
  EXPECT_TRUE(stale_.tell(one_, node_));
  look_up(one_, 9, 90);
  look_up(one_, 8, 80);
  EXPECT_FALSE(comes_back(one_, 9));
  const auto back = stale_.comes_back(one_, InodeId{8});
  EXPECT_TRUE(back.again);
  ASSERT_TRUE(back.inode);
  EXPECT_EQ(back.inode->size, 80u);
}

TEST_F(StaleOpensTest, a_look_up_that_takes_long_is_waited_for_and_one_that_begins_late_is_of_another_call) {
  EXPECT_TRUE(stale_.tell(one_, node_));
  stale_.looks_up(one_, kDirectory, "name");
  clock_.advance_ms(5000);  // the database was away
  look_up(one_, 8);
  EXPECT_TRUE(comes_back(one_, 8));

  EXPECT_TRUE(stale_.tell(one_, node_));
  clock_.advance_ms(10'001);
  look_up(one_, 8);
  EXPECT_FALSE(comes_back(one_, 8));

  EXPECT_TRUE(stale_.tell(one_, node_));
  look_up(one_, 8);
  clock_.advance_ms(10'001);
  EXPECT_FALSE(comes_back(one_, 8));
}

/// The kernel asks for attributes before it opens, and looks a name up again once for both.
TEST_F(StaleOpensTest, who_was_told_when_it_asked_for_attributes_comes_back_with_what_it_looked_up_alone) {
  stale_.told_of_attributes(one_, node_);
  EXPECT_FALSE(comes_back(one_, 8));
  look_up(one_, 8);
  EXPECT_FALSE(comes_back(one_, 9));
  EXPECT_TRUE(comes_back(one_, 8));
  stale_.told_of_attributes(one_, node_);
  EXPECT_TRUE(stale_.tell(one_, node_));
}

/// A stat() of one name, and then another name of the file was opened, which the kernel knew from before: a file was
/// read that another node had moved away, or written to.
TEST_F(StaleOpensTest, who_was_told_when_it_asked_for_attributes_does_not_come_back_in_a_later_call) {
  for (const int64_t pause_ms : {0, 26, 99, 250}) {
    SCOPED_TRACE(pause_ms);
    stale_.told_of_attributes(one_, node_);
    look_up(one_, 1);
    look_up(one_, 8);
    stale_.asks_attributes(one_, InodeId{8});  // stat() itself
    clock_.advance_ms(pause_ms);
    stale_.asks_attributes(one_, InodeId{8});  // open() does, before it opens
    EXPECT_FALSE(comes_back(one_, 8));
  }
  // Others' questions, and those about other inodes, are not its own.
  stale_.told_of_attributes(one_, node_);
  look_up(one_, 8);
  for (int i = 0; i < 3; ++i) {
    stale_.asks_attributes(two_, InodeId{8});
    stale_.asks_attributes(one_, InodeId{1});
  }
  EXPECT_TRUE(comes_back(one_, 8));
}

/// open() failed with ESTALE on a busy node.
TEST_F(StaleOpensTest, who_was_told_when_it_asked_for_attributes_may_take_its_time_to_open) {
  stale_.told_of_attributes(one_, node_);
  look_up(one_, 8);
  clock_.advance_ms(180);
  for (int i = 0; i < 3; ++i) {
    stale_.asks_attributes({.pid = 1, .unique = 10}, InodeId{8});
    clock_.advance_ms(2000);  // the database was away
  }
  EXPECT_TRUE(comes_back(one_, 8));
}

TEST_F(StaleOpensTest, whose_stat_is_over_gets_answers_that_may_be_kept) {
  Inode inode;
  inode.id = InodeId{9};
  stale_.told_of_attributes(one_, node_);
  look_up(one_, 8);
  stale_.asks_attributes(one_, InodeId{8});
  stale_.looks_up(one_, kDirectory, "other");
  EXPECT_FALSE(stale_.looked_up(one_, kDirectory, "other", inode));
  EXPECT_FALSE(comes_back(one_, 9));
  EXPECT_FALSE(stale_.is_in_doubt(InodeId{9}));
}

/// Otherwise the kernel would not ask before each call.
TEST_F(StaleOpensTest, what_may_be_opened_or_not_is_in_doubt_for_as_long_as_that_may_be) {
  EXPECT_TRUE(stale_.tell(one_, node_));
  look_up(one_, 8);
  EXPECT_FALSE(stale_.is_in_doubt(InodeId{8}));
  stale_.told_of_attributes(one_, node_);
  look_up(one_, 8);
  EXPECT_TRUE(stale_.is_in_doubt(InodeId{8}));
  EXPECT_FALSE(stale_.is_in_doubt(InodeId{7}));
  clock_.advance_ms(9'999);
  EXPECT_TRUE(stale_.is_in_doubt(InodeId{8}));
  clock_.advance_ms(1);
  EXPECT_FALSE(stale_.is_in_doubt(InodeId{8}));
}

/// The first open() found nothing and ended; then a stat() of that name, and an open() of another one.
TEST_F(StaleOpensTest, who_found_nothing_does_not_come_back_with_what_a_later_stat_looked_up) {
  EXPECT_TRUE(stale_.tell(one_, node_));
  find_nothing(one_, "name");
  look_up(one_, 8);
  EXPECT_TRUE(stale_.is_in_doubt(InodeId{8}));
  stale_.asks_attributes(one_, InodeId{8});
  stale_.asks_attributes(one_, InodeId{8});
  EXPECT_FALSE(comes_back(one_, 8));
}

TEST_F(StaleOpensTest, who_goes_by_a_name_is_told_once_of_it) {
  EXPECT_TRUE(stale_.tell_of_name(one_, kDirectory, "a"));
  EXPECT_TRUE(stale_.tell_of_name(two_, kDirectory, "a"));
  EXPECT_FALSE(stale_.tell_of_name(one_, kDirectory, "a"));
  EXPECT_TRUE(stale_.tell_of_name(one_, kDirectory, "a"));
  EXPECT_TRUE(stale_.tell_of_name(one_, kDirectory, "b"));
  EXPECT_TRUE(stale_.tell_of_name(one_, InodeId{2}, "b"));
  clock_.advance_ms(10'001);
  EXPECT_TRUE(stale_.tell_of_name(one_, InodeId{2}, "b"));
}

TEST_F(StaleOpensTest, threads_that_are_gone_do_not_make_it_forget_those_that_were_told_just_now) {
  for (uint32_t pid = 100; pid < 4'000; ++pid) EXPECT_TRUE(stale_.tell({.pid = pid}, node_));
  clock_.advance_ms(30'000);
  EXPECT_TRUE(stale_.tell(one_, node_));
  for (uint32_t pid = 10'000; pid < 13'000; ++pid) EXPECT_TRUE(stale_.tell({.pid = pid}, node_));
  EXPECT_FALSE(stale_.tell(one_, node_));
}

}  // namespace
}  // namespace weir::vfs
