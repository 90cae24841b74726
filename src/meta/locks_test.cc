#include "meta/locks.h"

#include <gtest/gtest.h>

#include "base/limits.h"
#include "base/random.h"
#include "meta/keys.h"
#include "meta/volume_testing.h"

namespace weir::meta {
namespace {

constexpr InodeId kFile{100};
constexpr InodeId kOther{200};
constexpr uint64_t kToEnd = UINT64_MAX;

/// Three nodes of one volume; node n has index n - 1.
class LocksTest : public ::testing::TestWithParam<EngineKind> {
 protected:
  LocksTest() {
    for (uint32_t node = 2; node <= kNodes; ++node)
      others_.push_back(value_of(Volume::open(test_.engine(), NodeId{node}, test_.clock(), random_)));
  }
  Volume& volume(uint32_t node) { return node == 1 ? test_.volume() : *others_[node - 2]; }

  static NodeLock lock_of(uint32_t node, uint64_t owner, LockType type, uint64_t first = 0, uint64_t last = kToEnd,
                          LockKind kind = LockKind::kPosix) {
    NodeLock lock;
    lock.node = NodeId{node};
    lock.epoch = 1;
    lock.owner = owner;
    lock.type = type;
    lock.first = first;
    lock.last = last;
    lock.kind = kind;
    return lock;
  }
  static NodeLock flock_of(uint32_t node, uint64_t owner, LockType type) {
    return lock_of(node, owner, type, 0, kToEnd, LockKind::kFlock);
  }
  LockChange set(const NodeLock& lock, std::optional<uint64_t> request = {}, InodeId inode = kFile) {
    return value_of(set_lock(volume(lock.node.value), inode, lock, request));
  }
  bool granted(const NodeLock& lock, InodeId inode = kFile) {
    return set(lock, {}, inode).outcome == LockOutcome::kGranted;
  }
  LockRow row(InodeId inode = kFile) { return value_of(lock_rows(volume(1), {inode}))[0]; }
  size_t rows_there() {
    return value_of(volume(1).engine().begin()->scan(keys::all_of(keys::kLocks), limits::kScanRows)).size();
  }

  static constexpr uint32_t kNodes = 3;
  TestVolume test_{GetParam()};
  SystemRandom random_;
  std::vector<std::unique_ptr<Volume>> others_;
};

TEST_P(LocksTest, nodes_exclude_each_other_and_readers_share) {
  EXPECT_TRUE(granted(lock_of(1, 7, LockType::kRead, 0, 9)));
  EXPECT_TRUE(granted(lock_of(2, 7, LockType::kRead, 5, 14)));
  EXPECT_FALSE(granted(lock_of(3, 7, LockType::kWrite, 14, 20)));
  EXPECT_TRUE(granted(lock_of(3, 7, LockType::kWrite, 15, 20)));
  EXPECT_TRUE(granted(flock_of(3, 7, LockType::kWrite))) << "of another kind";
  EXPECT_FALSE(granted(flock_of(2, 7, LockType::kRead)));
}

TEST_P(LocksTest, nothing_is_left_of_locks_that_are_released) {
  EXPECT_TRUE(granted(lock_of(1, 7, LockType::kWrite, 0, 9)));
  EXPECT_TRUE(granted(lock_of(2, 7, LockType::kWrite, 10, 19), kOther));
  EXPECT_EQ(rows_there(), 2u);
  LockChange released = set(lock_of(1, 7, LockType::kNone, 0, kToEnd));
  EXPECT_FALSE(released.holds_any);
  EXPECT_TRUE(value_of(release_owner(volume(2), kOther, NodeId{2}, LockKind::kPosix, 7)).empty());
  EXPECT_EQ(rows_there(), 0u);
}

TEST_P(LocksTest, the_releaser_grants_who_waits_in_order_of_arrival) {
  EXPECT_TRUE(granted(lock_of(1, 7, LockType::kWrite)));
  EXPECT_EQ(set(lock_of(2, 7, LockType::kRead), 21).outcome, LockOutcome::kWaiting);
  EXPECT_EQ(set(lock_of(3, 7, LockType::kWrite), 31).outcome, LockOutcome::kWaiting);
  EXPECT_EQ(set(lock_of(3, 8, LockType::kRead), 32).outcome, LockOutcome::kWaiting);
  LockChange released = set(lock_of(1, 7, LockType::kNone));
  EXPECT_EQ(released.granted, (std::vector<LockGrant>{{kFile, NodeId{2}, 21}, {kFile, NodeId{3}, 32}}));
  EXPECT_TRUE(value_of(release_owner(volume(2), kFile, NodeId{2}, LockKind::kPosix, 7)).empty());
  EXPECT_EQ(value_of(release_owner(volume(3), kFile, NodeId{3}, LockKind::kPosix, 8)),
            (std::vector<LockGrant>{{kFile, NodeId{3}, 31}}));
  EXPECT_TRUE(row().covers(lock_of(3, 7, LockType::kWrite)));
  EXPECT_TRUE(row().waiting.empty());
}

TEST_P(LocksTest, a_wait_that_is_asked_for_again_keeps_its_place) {
  EXPECT_TRUE(granted(lock_of(1, 7, LockType::kWrite)));
  set(lock_of(2, 7, LockType::kWrite), 21);
  set(lock_of(3, 7, LockType::kWrite), 31);
  set(lock_of(2, 7, LockType::kWrite), 21);
  EXPECT_EQ(row().waiting.size(), 2u);
  EXPECT_EQ(set(lock_of(1, 7, LockType::kNone)).granted, (std::vector<LockGrant>{{kFile, NodeId{2}, 21}}));
  // Its daemon died before it could say so, and the next one asks again.
  EXPECT_EQ(set(lock_of(2, 7, LockType::kWrite), 21).outcome, LockOutcome::kGranted);
  EXPECT_EQ(row().held.size(), 1u);
}

TEST_P(LocksTest, an_ended_wait_is_not_granted_later) {
  EXPECT_TRUE(granted(lock_of(1, 7, LockType::kWrite)));
  set(lock_of(2, 7, LockType::kWrite), 21);
  EXPECT_TRUE(value_of(end_wait(volume(2), kFile, NodeId{2}, 21)));
  EXPECT_FALSE(value_of(end_wait(volume(2), kFile, NodeId{2}, 21)));
  EXPECT_TRUE(set(lock_of(1, 7, LockType::kNone)).granted.empty());
  EXPECT_EQ(rows_there(), 0u);
  set(lock_of(1, 7, LockType::kWrite));
  set(lock_of(2, 7, LockType::kWrite), 22);
  set(lock_of(1, 7, LockType::kNone));
  EXPECT_FALSE(value_of(end_wait(volume(2), kFile, NodeId{2}, 22))) << "it has been granted";
  EXPECT_TRUE(row().covers(lock_of(2, 7, LockType::kWrite)));
}

TEST_P(LocksTest, a_flock_that_is_converted_is_given_up_first) {
  EXPECT_TRUE(granted(flock_of(1, 7, LockType::kRead)));
  EXPECT_TRUE(granted(flock_of(2, 7, LockType::kRead)));
  LockChange refused = set(flock_of(1, 7, LockType::kWrite));
  EXPECT_EQ(refused.outcome, LockOutcome::kRefused);
  EXPECT_FALSE(refused.holds_any);
  EXPECT_TRUE(granted(flock_of(2, 7, LockType::kWrite)));
  EXPECT_EQ(set(flock_of(1, 7, LockType::kRead), 11).outcome, LockOutcome::kWaiting);
  EXPECT_EQ(set(flock_of(2, 7, LockType::kRead)).granted, (std::vector<LockGrant>{{kFile, NodeId{1}, 11}}));
}

TEST_P(LocksTest, a_lock_comes_with_the_file_as_it_is_then) {
  Inode file = value_of(make(volume(1), {}, kRootInode, "file", {.type = FileType::kFile, .mode = 0644}));
  Publish change;
  change.inode = file.id;
  change.base_generation = file.generation;
  change.replaces = true;
  change.size = 3;
  change.inline_bytes = Bytes("abc");
  value_of(publish(volume(2), {}, change));
  LockChange taken = set(lock_of(1, 7, LockType::kWrite), {}, file.id);
  ASSERT_TRUE(taken.inode.has_value());
  EXPECT_EQ(taken.inode->content.inline_bytes, "abc");
  EXPECT_FALSE(set(lock_of(1, 7, LockType::kWrite)).inode.has_value()) << "there is no such file";
}

TEST_P(LocksTest, a_circle_over_three_nodes_ends_one_wait) {
  EXPECT_TRUE(granted(lock_of(1, 7, LockType::kWrite, 1, 1)));
  EXPECT_TRUE(granted(lock_of(2, 7, LockType::kWrite, 2, 2)));
  EXPECT_TRUE(granted(lock_of(3, 7, LockType::kWrite, 3, 3), kOther));
  set(lock_of(1, 7, LockType::kRead, 2, 2), 12);
  set(lock_of(2, 7, LockType::kRead, 3, 3), 23, kOther);
  EXPECT_FALSE(value_of(end_circle(volume(2), kOther, NodeId{2}, 23)).ended) << "a chain is no circle";
  set(lock_of(3, 7, LockType::kWrite, 1, 1), 31);
  CircleEnd of_first = value_of(end_circle(volume(1), kFile, NodeId{1}, 12));
  EXPECT_FALSE(of_first.ended);
  EXPECT_EQ(of_first.other, (LockGrant{kFile, NodeId{3}, 31}));
  EXPECT_TRUE(value_of(end_circle(volume(3), kFile, NodeId{3}, 31)).ended);
  EXPECT_FALSE(value_of(end_circle(volume(1), kFile, NodeId{1}, 12)).other.has_value());
  EXPECT_EQ(row().waiting.size(), 1u);
}

TEST_P(LocksTest, flocks_in_a_circle_wait_as_linux_lets_them) {
  EXPECT_TRUE(granted(flock_of(1, 7, LockType::kWrite)));
  EXPECT_TRUE(granted(flock_of(2, 7, LockType::kWrite), kOther));
  set(flock_of(1, 7, LockType::kWrite), 12, kOther);
  set(flock_of(2, 7, LockType::kWrite), 21);
  EXPECT_FALSE(value_of(end_circle(volume(2), kFile, NodeId{2}, 21)).ended);
}

TEST_P(LocksTest, locks_of_a_dead_node_go_to_who_waits_and_those_of_its_next_life_stay) {
  EXPECT_TRUE(granted(lock_of(1, 7, LockType::kWrite)));
  EXPECT_TRUE(granted(flock_of(1, 8, LockType::kWrite), kOther));
  set(lock_of(2, 7, LockType::kWrite), 21);
  set(lock_of(1, 9, LockType::kWrite), 19);
  NodeLock later = lock_of(1, 7, LockType::kRead, 0, 5);
  later.epoch = 2;
  EXPECT_TRUE(granted(later, InodeId{300}));
  EXPECT_EQ(value_of(release_locks_of(volume(3), NodeId{1}, 1)), (std::vector<LockGrant>{{kFile, NodeId{2}, 21}}));
  EXPECT_TRUE(value_of(release_locks_of(volume(2), NodeId{1}, 1)).empty()) << "another did it already";
  EXPECT_TRUE(row(kOther).empty());
  EXPECT_TRUE(row().waiting.empty());
  EXPECT_EQ(row(InodeId{300}).held.size(), 1u);
}

TEST_P(LocksTest, a_node_that_goes_on_keeps_what_nobody_took) {
  EXPECT_TRUE(granted(lock_of(1, 7, LockType::kWrite)));
  EXPECT_TRUE(granted(lock_of(1, 7, LockType::kWrite), kOther));
  EXPECT_EQ(value_of(reclaim_locks(volume(1), kFile, NodeId{1}, 5)).size(), 1u);
  EXPECT_TRUE(value_of(release_locks_of(volume(2), NodeId{1}, 4)).empty());
  EXPECT_FALSE(granted(lock_of(2, 1, LockType::kRead)));
  EXPECT_TRUE(granted(lock_of(2, 1, LockType::kRead), kOther));
  EXPECT_TRUE(value_of(reclaim_locks(volume(1), kOther, NodeId{1}, 5)).empty()) << "this one was taken";
}

TEST_P(LocksTest, a_file_keeps_a_bounded_number_of_locks) {
  if (GetParam() != EngineKind::kMemory)
    GTEST_SKIP() << "the engine makes no difference to the bound, and it takes long";
  LockRow full;
  for (uint64_t i = 0; i + 1 < limits::kLocksOfFile; ++i)
    full.held.push_back(lock_of(1, 1, LockType::kWrite, 2 * i, 2 * i));
  auto transaction = volume(1).engine().begin();
  const std::vector<Bytes> parts = full.encode(1);
  ASSERT_GT(parts.size(), 3u);
  for (uint32_t part = 0; part < parts.size(); ++part) transaction->put(keys::locks(kFile, part), parts[part]);
  ASSERT_TRUE(transaction->commit().has_value());

  const uint64_t end = 2 * limits::kLocksOfFile;
  EXPECT_TRUE(granted(lock_of(1, 1, LockType::kWrite, end, end)));
  EXPECT_EQ(outcome(set_lock(volume(2), kFile, lock_of(2, 1, LockType::kWrite, end + 2, end + 2), {})), "no_locks");
  EXPECT_FALSE(granted(lock_of(2, 1, LockType::kRead, 4, 4)));
  EXPECT_TRUE(granted(lock_of(1, 1, LockType::kNone, 0, end))) << "what is released takes no room";
  EXPECT_EQ(rows_there(), 0u);
}

TEST_P(LocksTest, thousands_of_ranges_of_one_file) {
  const uint64_t ranges = GetParam() == EngineKind::kMemory || GetParam() == EngineKind::kFaulty ? 3500 : 50;
  for (uint64_t i = 0; i < ranges; ++i)
    ASSERT_TRUE(granted(lock_of(1 + i % 2, 1, LockType::kWrite, 10 * i, 10 * i + 4)));
  EXPECT_FALSE(granted(lock_of(3, 1, LockType::kRead, 10 * (ranges - 1), kToEnd)));
  EXPECT_TRUE(granted(lock_of(3, 1, LockType::kRead, 10 * ranges, kToEnd)));
  for (uint32_t node = 1; node <= 3; ++node)
    succeed(release_owner(volume(node), kFile, NodeId{node}, LockKind::kPosix, 1).map([](auto) {}));
  EXPECT_EQ(rows_there(), 0u);
}

INSTANTIATE_TEST_SUITE_P(Engines, LocksTest, all_engines(), engine_of);

}  // namespace
}  // namespace weir::meta
