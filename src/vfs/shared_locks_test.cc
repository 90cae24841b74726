#include "vfs/shared_locks.h"

#include <gtest/gtest.h>

#include "vfs/locks_fixture.h"

namespace weir::vfs {
namespace {

constexpr InodeId kFile{7};
constexpr InodeId kOther{8};
constexpr NodeId kOne{1};
constexpr NodeId kTwo{2};
constexpr NodeId kThree{3};

class SharedLocksTest : public ::testing::Test {
 protected:
  using Outcome = LockCalls::Outcome;

  Outcome set(NodeId node, const Lock& lock, bool wait = false, InodeId inode = kFile) {
    Outcome outcome = calls_.set(nodes_.of(node), inode, lock, wait);
    const uint64_t request = calls_.last_request();
    EXPECT_TRUE(comes_true([&] { return !is_open(outcome) || nodes_.row(inode).waiter(node, request) != nullptr; }));
    return outcome;
  }
  bool granted(NodeId node, const Lock& lock, InodeId inode = kFile) {
    return is_granted(set(node, lock, false, inode));
  }
  static bool comes(const Outcome& outcome) { return answered(outcome) && is_granted(outcome); }
  static Lock write_of(uint64_t owner) { return posix(LockType::kWrite, owner, 0, kToEnd); }
  static Lock none_of(uint64_t owner) { return posix(LockType::kNone, owner, 0, kToEnd); }

  LockNodes nodes_{meta::EngineKind::kMemory, 3};
  LockCalls calls_;
};

TEST_F(SharedLocksTest, a_lock_of_another_node_shows_no_process) {
  ASSERT_TRUE(granted(kOne, posix(LockType::kWrite, 55, 3, 9)));
  Lock here = meta::value_of(nodes_.of(kOne).conflicting(kFile, write_of(1)));
  EXPECT_EQ(here.pid, 55u);
  Lock there = meta::value_of(nodes_.of(kTwo).conflicting(kFile, write_of(1)));
  EXPECT_EQ(there.pid, 0u);
  EXPECT_EQ(there.type, LockType::kWrite);
  EXPECT_EQ(there.first, 3u);
  EXPECT_EQ(there.last, 9u);
}

TEST_F(SharedLocksTest, kernels_that_name_owners_alike_mean_two) {
  ASSERT_TRUE(granted(kOne, write_of(7)));
  EXPECT_FALSE(granted(kTwo, write_of(7)));
  nodes_.of(kTwo).release_owner(kFile, LockKind::kPosix, 7);
  EXPECT_FALSE(granted(kThree, write_of(7)));
}

TEST_F(SharedLocksTest, a_grant_whose_message_is_lost_is_found_by_looking) {
  ASSERT_TRUE(granted(kOne, write_of(7)));
  Outcome waiting = set(kTwo, write_of(7), true);
  nodes_.network().cut(kOne, kTwo);
  ASSERT_TRUE(granted(kOne, none_of(7)));
  nodes_.network().drain();
  EXPECT_TRUE(is_open(waiting));
  EXPECT_TRUE(comes(waiting));
}

TEST_F(SharedLocksTest, a_grant_that_is_told_twice_is_one) {
  ASSERT_TRUE(granted(kOne, write_of(7)));
  Outcome waiting = set(kTwo, write_of(7), true);
  nodes_.network().repeat_next(1);
  ASSERT_TRUE(granted(kOne, none_of(7)));
  EXPECT_TRUE(comes(waiting));
  nodes_.network().drain();
  ASSERT_TRUE(granted(kTwo, none_of(7)));
  EXPECT_TRUE(nodes_.row(kFile).empty());
}

TEST_F(SharedLocksTest, who_gets_a_lock_has_looked_at_the_file_again) {
  ASSERT_TRUE(granted(kOne, write_of(7)));
  EXPECT_EQ(nodes_.revalidations(kOne), 1u);
  EXPECT_FALSE(granted(kTwo, write_of(7)));
  Outcome waiting = set(kTwo, write_of(7), true);
  EXPECT_EQ(nodes_.revalidations(kTwo), 0u);
  ASSERT_TRUE(granted(kOne, none_of(7)));
  ASSERT_TRUE(comes(waiting));
  EXPECT_EQ(nodes_.revalidations(kOne), 1u);
  EXPECT_EQ(nodes_.revalidations(kTwo), 1u);
}

TEST_F(SharedLocksTest, who_cannot_see_the_file_as_it_is_does_not_get_the_lock) {
  nodes_.fail_revalidation(kOne, true);
  EXPECT_TRUE(failed_with(set(kOne, write_of(7)), Code::kUnavailable));
  EXPECT_TRUE(nodes_.row(kFile).empty());
  EXPECT_TRUE(granted(kTwo, write_of(7)));
}

TEST_F(SharedLocksTest, an_unmount_gives_up_what_is_held_and_waited_for) {
  ASSERT_TRUE(granted(kOne, write_of(7)));
  ASSERT_TRUE(granted(kTwo, flock_of(LockType::kWrite, 7), kOther));
  Outcome waiting = set(kTwo, write_of(7), true);
  Outcome other = set(kThree, flock_of(LockType::kWrite, 9), true, kOther);
  nodes_.stop(kTwo);
  EXPECT_TRUE(failed_with(waiting, Code::kUnavailable));
  EXPECT_TRUE(comes(other));
  EXPECT_TRUE(nodes_.row(kFile).waiting.empty());
  nodes_.start(kTwo);
  EXPECT_FALSE(granted(kTwo, write_of(7)));
}

TEST_F(SharedLocksTest, a_daemon_that_is_killed_goes_on_holding) {
  ASSERT_TRUE(granted(kOne, write_of(7)));
  ASSERT_TRUE(granted(kTwo, write_of(8), kOther));
  Outcome waiting = set(kTwo, write_of(9), true);
  nodes_.kill(kTwo);
  EXPECT_FALSE(granted(kOne, write_of(7), kOther)) << "nobody unlocked it";
  ASSERT_TRUE(granted(kOne, none_of(7)));
  EXPECT_EQ(nodes_.row(kFile).held.size(), 1u) << "granted to who waits, whether it can be told or not";
  nodes_.start(kTwo, true);
  EXPECT_TRUE(nodes_.reports(kTwo).empty());
  EXPECT_FALSE(granted(kOne, write_of(7), kOther));
  // The kernel asks the successor again.
  EXPECT_TRUE(comes(set(kTwo, write_of(9), true)));
  EXPECT_FALSE(granted(kOne, write_of(7)));
  nodes_.of(kTwo).release_owner(kFile, LockKind::kPosix, 9);
  nodes_.of(kTwo).release_owner(kOther, LockKind::kPosix, 8);
  EXPECT_TRUE(granted(kOne, write_of(7)));
  EXPECT_TRUE(granted(kOne, write_of(7), kOther));
}

TEST_F(SharedLocksTest, a_mount_that_begins_anew_holds_nothing_of_before) {
  ASSERT_TRUE(granted(kTwo, write_of(8)));
  Outcome waiting = set(kOne, write_of(7), true);
  nodes_.kill(kTwo);
  EXPECT_TRUE(is_open(waiting));
  nodes_.start(kTwo);
  EXPECT_TRUE(comes(waiting));
}

TEST_F(SharedLocksTest, locks_of_a_dead_node_go_to_who_waits) {
  ASSERT_TRUE(granted(kTwo, write_of(8)));
  Outcome waiting = set(kOne, write_of(7), true);
  const uint64_t epoch = nodes_.epoch(kTwo);
  nodes_.kill(kTwo);
  nodes_.of(kThree).node_died(kTwo, epoch);
  EXPECT_TRUE(comes(waiting));
}

TEST_F(SharedLocksTest, what_a_node_lost_while_it_was_taken_for_dead_is_reported_and_the_rest_is_held) {
  ASSERT_TRUE(granted(kTwo, write_of(8)));
  ASSERT_TRUE(granted(kTwo, write_of(9), kOther));
  const uint64_t epoch = nodes_.epoch(kTwo);
  nodes_.of(kThree).node_died(kTwo, epoch);
  ASSERT_TRUE(comes_true([&] { return nodes_.row(kFile).empty() && nodes_.row(kOther).empty(); }));
  ASSERT_TRUE(granted(kOne, write_of(7)));
  nodes_.raise_epoch(kTwo);
  ASSERT_TRUE(granted(kTwo, write_of(10), InodeId{12}));
  ASSERT_TRUE(comes_true([&] { return !nodes_.of(kTwo).may_hold(kFile, LockKind::kPosix, 8); }));
  ASSERT_TRUE(comes_true([&] { return nodes_.reports(kTwo).size() == 1; }));
  EXPECT_NE(nodes_.reports(kTwo)[0].find("2 locks were lost"), std::string::npos) << nodes_.reports(kTwo)[0];
  EXPECT_TRUE(nodes_.of(kTwo).may_hold(InodeId{12}, LockKind::kPosix, 10));
  EXPECT_FALSE(granted(kTwo, write_of(8))) << "the other has it by now";
  EXPECT_TRUE(granted(kTwo, write_of(9), kOther));
  nodes_.of(kThree).node_died(kTwo, epoch);
  EXPECT_FALSE(granted(kOne, write_of(7), kOther)) << "of a later epoch than that which ended";
}

TEST_F(SharedLocksTest, a_wait_goes_on_after_the_node_was_taken_for_dead) {
  ASSERT_TRUE(granted(kOne, write_of(7)));
  Outcome waiting = set(kTwo, write_of(8), true);
  nodes_.of(kThree).node_died(kTwo, nodes_.epoch(kTwo));
  ASSERT_TRUE(comes_true([&] { return nodes_.row(kFile).waiting.empty(); }));
  nodes_.raise_epoch(kTwo);
  ASSERT_TRUE(comes_true([&] { return !nodes_.row(kFile).waiting.empty(); })) << "it stands in the table again";
  ASSERT_TRUE(granted(kOne, none_of(7)));
  EXPECT_TRUE(comes(waiting));
}

TEST_F(SharedLocksTest, an_unlock_that_fails_is_not_said_to_be_done_and_closing_tries_again) {
  ASSERT_TRUE(granted(kTwo, write_of(8)));
  Outcome waiting = set(kOne, write_of(7), true);
  nodes_.engine(kTwo).crash();
  EXPECT_TRUE(failed_with(set(kTwo, none_of(8)), Code::kUnavailable));
  nodes_.of(kTwo).release_owner(kFile, LockKind::kPosix, 8);
  EXPECT_TRUE(is_open(waiting));
  nodes_.engine(kTwo).reopen();
  EXPECT_TRUE(comes(waiting));
}

TEST_F(SharedLocksTest, an_ordinary_lock_is_one_commit_and_so_is_its_end) {
  const auto commits = [&](NodeId node) { return nodes_.engine(node).injected(kv::Fault::kNone); };
  const uint64_t before = commits(kOne);
  ASSERT_TRUE(granted(kOne, write_of(7)));
  EXPECT_EQ(commits(kOne), before + 1);
  ASSERT_TRUE(granted(kOne, none_of(7)));
  EXPECT_EQ(commits(kOne), before + 2);

  // One that is waited for: the wait, and nothing more once it is granted.
  ASSERT_TRUE(granted(kOne, write_of(7)));
  const uint64_t of_waiter = commits(kTwo);
  Outcome waiting = set(kTwo, write_of(7), true);
  ASSERT_TRUE(granted(kOne, none_of(7)));
  ASSERT_TRUE(comes(waiting));
  EXPECT_EQ(commits(kOne), before + 4);
  EXPECT_EQ(commits(kTwo), of_waiter + 1);
  const uint64_t of_third = commits(kThree);
  EXPECT_FALSE(granted(kThree, write_of(7)));
  EXPECT_EQ(commits(kThree), of_third) << "asking in vain writes nothing";
}

TEST_F(SharedLocksTest, closing_a_file_that_nobody_locked_asks_nobody) {
  nodes_.engine(kOne).crash();
  nodes_.of(kOne).release_owner(kFile, LockKind::kPosix, 8);
  EXPECT_TRUE(is_granted(set(kOne, none_of(8))));
  nodes_.engine(kOne).reopen();
}

}  // namespace
}  // namespace weir::vfs
