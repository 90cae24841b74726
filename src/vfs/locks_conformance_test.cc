// What every implementation of Locks does, seen by owners that are spread over its nodes.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <set>

#include "vfs/locks_fixture.h"

namespace weir::vfs {
namespace {

constexpr InodeId kFile{7};
constexpr InodeId kOther{8};

enum class World { kLocal, kOneNode, kThreeNodes, kThreeNodesFaulty, kThreeNodesPostgres };

std::string world_name(World world) {
  switch (world) {
    case World::kLocal: return "local";
    case World::kOneNode: return "one_node";
    case World::kThreeNodes: return "three_nodes";
    case World::kThreeNodesFaulty: return "three_nodes_faulty";
    case World::kThreeNodesPostgres: return "three_nodes_postgres";
  }
  return "";
}

class LocksUnderTest {
 public:
  explicit LocksUnderTest(World world) {
    if (world == World::kLocal) {
      local_ = std::make_unique<LockTable>();
      return;
    }
    const auto kind = world == World::kThreeNodesPostgres ? meta::EngineKind::kPostgres : meta::EngineKind::kMemory;
    kv::FaultRates rates;
    if (world == World::kThreeNodesFaulty) rates = {.conflict = 100, .lost_reply = 50, .lost_request = 50};
    nodes_ = std::make_unique<LockNodes>(kind, world == World::kOneNode ? 1 : 3, rates);
  }
  Locks& of(uint64_t owner) {
    if (local_) return *local_;
    return nodes_->of(NodeId{static_cast<uint32_t>(owner % nodes_->count()) + 1});
  }
  bool is_local() const { return local_ != nullptr; }
  /// The request is among those that wait.
  bool waits(InodeId inode, uint64_t request) {
    if (local_) return true;
    const meta::LockRow row = nodes_->row(inode);
    return std::any_of(row.waiting.begin(), row.waiting.end(), [&](const auto& one) { return one.request == request; });
  }

 private:
  std::unique_ptr<LockTable> local_;
  std::unique_ptr<LockNodes> nodes_;
};

class LocksConformance : public ::testing::TestWithParam<World> {
 protected:
  using Outcome = LockCalls::Outcome;

  /// Answered, or waiting.
  Outcome set(const Lock& lock, bool wait = false, InodeId inode = kFile) {
    Outcome outcome = calls_.set(locks_.of(lock.owner), inode, lock, wait);
    const uint64_t request = calls_.last_request();
    EXPECT_TRUE(comes_true([&] { return !is_open(outcome) || (wait && locks_.waits(inode, request)); }));
    return outcome;
  }
  bool granted(const Lock& lock, InodeId inode = kFile) { return is_granted(set(lock, false, inode)); }
  static bool comes(const Outcome& outcome) { return answered(outcome) && is_granted(outcome); }
  void release(InodeId inode, LockKind kind, uint64_t owner) { locks_.of(owner).release_owner(inode, kind, owner); }

  Lock meets(InodeId inode, const Lock& wanted) {
    auto conflict = locks_.of(wanted.owner).conflicting(inode, wanted);
    EXPECT_TRUE(conflict.has_value());
    return conflict ? *conflict : Lock{};
  }
  /// What another owner meets on that byte.
  LockType at(uint64_t byte, LockKind kind = LockKind::kPosix) {
    return meets(kFile, Lock{kind, LockType::kWrite, 999, byte, byte, 1}).type;
  }
  bool holds(LockKind kind, uint64_t owner) { return locks_.of(owner).may_hold(kFile, kind, owner); }

  LocksUnderTest locks_{GetParam()};
  LockCalls calls_;
};

TEST_P(LocksConformance, readers_share_and_writers_exclude) {
  EXPECT_TRUE(granted(posix(LockType::kRead, 1, 0, 9)));
  EXPECT_TRUE(granted(posix(LockType::kRead, 2, 5, 14)));
  EXPECT_FALSE(granted(posix(LockType::kWrite, 3, 14, 20)));
  EXPECT_TRUE(granted(posix(LockType::kWrite, 3, 15, 20)));
  EXPECT_FALSE(granted(posix(LockType::kRead, 1, 20, 20)));
  Lock wanted = posix(LockType::kWrite, 1, 12, 16);
  Lock conflict = meets(kFile, wanted);
  EXPECT_EQ(conflict.owner, 2u);
  EXPECT_EQ(conflict.first, 5u);
  EXPECT_EQ(conflict.last, 14u);
  EXPECT_EQ(meets(kOther, wanted).type, LockType::kNone);
  EXPECT_EQ(meets(kFile, posix(LockType::kWrite, 1, 21, kToEnd)).type, LockType::kNone);
}

TEST_P(LocksConformance, a_refused_lock_says_would_block_and_changes_nothing) {
  ASSERT_TRUE(granted(posix(LockType::kWrite, 1, 0, 9)));
  ASSERT_TRUE(granted(posix(LockType::kRead, 2, 20, 29)));
  EXPECT_TRUE(failed_with(set(posix(LockType::kWrite, 2, 5, 29)), Code::kWouldBlock));
  EXPECT_EQ(meets(kFile, posix(LockType::kWrite, 3, 25, 25)).type, LockType::kRead);
}

TEST_P(LocksConformance, releasing_the_middle_splits) {
  ASSERT_TRUE(granted(posix(LockType::kWrite, 1, 0, kToEnd)));
  ASSERT_TRUE(granted(posix(LockType::kNone, 1, 10, 19)));
  EXPECT_EQ(at(9), LockType::kWrite);
  EXPECT_EQ(at(10), LockType::kNone);
  EXPECT_EQ(at(19), LockType::kNone);
  EXPECT_EQ(at(20), LockType::kWrite);
  EXPECT_EQ(at(kToEnd), LockType::kWrite);
}

TEST_P(LocksConformance, neighbours_of_one_type_merge) {
  ASSERT_TRUE(granted(posix(LockType::kRead, 1, 20, 29)));
  ASSERT_TRUE(granted(posix(LockType::kRead, 1, 0, 9)));
  ASSERT_TRUE(granted(posix(LockType::kRead, 1, 10, 19)));
  Lock conflict = meets(kFile, posix(LockType::kWrite, 2, 15, 15));
  EXPECT_EQ(conflict.first, 0u);
  EXPECT_EQ(conflict.last, 29u);
}

TEST_P(LocksConformance, upgrade_and_downgrade_of_a_part) {
  ASSERT_TRUE(granted(posix(LockType::kRead, 1, 0, 29)));
  ASSERT_TRUE(granted(posix(LockType::kWrite, 1, 10, 19)));
  EXPECT_EQ(at(9), LockType::kRead);
  EXPECT_EQ(at(10), LockType::kWrite);
  EXPECT_EQ(at(19), LockType::kWrite);
  EXPECT_EQ(at(20), LockType::kRead);
  ASSERT_TRUE(granted(posix(LockType::kRead, 1, 0, 29)));
  EXPECT_TRUE(granted(posix(LockType::kRead, 2, 0, kToEnd)));
  EXPECT_FALSE(granted(posix(LockType::kWrite, 1, 10, 10))) << "another reads there by now";
}

TEST_P(LocksConformance, flock_and_posix_do_not_see_each_other) {
  ASSERT_TRUE(granted(flock_of(LockType::kWrite, 1)));
  EXPECT_TRUE(granted(posix(LockType::kWrite, 2, 0, kToEnd)));
  EXPECT_FALSE(granted(flock_of(LockType::kRead, 2)));
  EXPECT_TRUE(holds(LockKind::kFlock, 1));
  EXPECT_FALSE(holds(LockKind::kPosix, 1));
  release(kFile, LockKind::kPosix, 1);
  EXPECT_TRUE(holds(LockKind::kFlock, 1));
  release(kFile, LockKind::kFlock, 1);
  EXPECT_TRUE(granted(flock_of(LockType::kRead, 2)));
  EXPECT_EQ(at(3), LockType::kWrite);
}

TEST_P(LocksConformance, waiters_are_granted_in_order_of_arrival) {
  ASSERT_TRUE(granted(posix(LockType::kWrite, 1, 0, 9)));
  Outcome first = set(posix(LockType::kWrite, 2, 0, 9), true);
  Outcome second = set(posix(LockType::kWrite, 3, 0, 9), true);
  Outcome elsewhere = set(posix(LockType::kWrite, 4, 5, 20), true);
  EXPECT_TRUE(is_open(first));
  ASSERT_TRUE(granted(posix(LockType::kNone, 1, 0, 9)));
  EXPECT_TRUE(comes(first));
  EXPECT_TRUE(is_open(second));
  release(kFile, LockKind::kPosix, 2);
  EXPECT_TRUE(comes(second));
  EXPECT_TRUE(is_open(elsewhere));
  ASSERT_TRUE(granted(posix(LockType::kNone, 3, 5, 9)));
  EXPECT_TRUE(comes(elsewhere));
}

TEST_P(LocksConformance, readers_that_wait_are_granted_together) {
  ASSERT_TRUE(granted(posix(LockType::kWrite, 1, 0, 9)));
  Outcome second = set(posix(LockType::kRead, 2, 0, 9), true);
  Outcome third = set(posix(LockType::kRead, 3, 0, 9), true);
  ASSERT_TRUE(granted(posix(LockType::kRead, 1, 0, 9))) << "a downgrade lets readers in";
  EXPECT_TRUE(comes(second));
  EXPECT_TRUE(comes(third));
}

TEST_P(LocksConformance, an_interrupted_wait_ends_and_leaves_no_lock) {
  ASSERT_TRUE(granted(posix(LockType::kWrite, 1, 0, 9)));
  Outcome waiting = set(posix(LockType::kWrite, 2, 0, 9), true);
  const uint64_t request = calls_.last_request();
  Outcome behind = set(posix(LockType::kWrite, 3, 0, 9), true);
  locks_.of(2).interrupt(request + 1000);
  EXPECT_TRUE(is_open(waiting));
  locks_.of(2).interrupt(request);
  EXPECT_TRUE(answered(waiting));
  EXPECT_TRUE(failed_with(waiting, Code::kInterrupted));
  locks_.of(2).interrupt(request);
  release(kFile, LockKind::kPosix, 1);
  EXPECT_TRUE(comes(behind));
  release(kFile, LockKind::kPosix, 3);
  EXPECT_TRUE(granted(posix(LockType::kWrite, 5, 0, 9)));
}

TEST_P(LocksConformance, two_owners_that_would_wait_for_each_other) {
  ASSERT_TRUE(granted(posix(LockType::kWrite, 1, 0, 9)));
  ASSERT_TRUE(granted(posix(LockType::kWrite, 2, 0, 9), kOther));
  Outcome waiting = set(posix(LockType::kRead, 1, 0, 0), true, kOther);
  EXPECT_TRUE(is_open(waiting));
  Outcome closing = set(posix(LockType::kRead, 2, 0, 0), true, kFile);
  ASSERT_TRUE(answered(closing));
  EXPECT_TRUE(failed_with(closing, Code::kDeadlock));
  EXPECT_TRUE(is_open(waiting));
  release(kOther, LockKind::kPosix, 2);
  EXPECT_TRUE(comes(waiting));
}

TEST_P(LocksConformance, two_flock_readers_that_upgrade_do_not_wait_for_each_other) {
  // flock(2): a conversion first gives up the old lock.
  ASSERT_TRUE(granted(flock_of(LockType::kRead, 1)));
  ASSERT_TRUE(granted(flock_of(LockType::kRead, 2)));
  Outcome first = set(flock_of(LockType::kWrite, 1), true);
  EXPECT_TRUE(is_open(first));
  Outcome second = set(flock_of(LockType::kWrite, 2), true);
  ASSERT_TRUE(comes_true([&] { return is_granted(first) || is_granted(second); })) << "one of them goes first";
  EXPECT_NE(is_granted(first), is_granted(second));
  release(kFile, LockKind::kFlock, is_granted(first) ? 1 : 2);
  EXPECT_TRUE(comes(first) && comes(second));
}

TEST_P(LocksConformance, a_failed_flock_conversion_loses_the_lock) {
  ASSERT_TRUE(granted(flock_of(LockType::kRead, 1)));
  ASSERT_TRUE(granted(flock_of(LockType::kRead, 2)));
  EXPECT_FALSE(granted(flock_of(LockType::kWrite, 1)));
  EXPECT_FALSE(holds(LockKind::kFlock, 1));
  EXPECT_TRUE(granted(flock_of(LockType::kWrite, 2)));
  EXPECT_TRUE(granted(flock_of(LockType::kRead, 2)));
  EXPECT_TRUE(granted(flock_of(LockType::kRead, 1)));
}

/// Owner i holds byte i and waits for byte i + 1.
TEST_P(LocksConformance, a_chain_is_no_deadlock_until_it_closes) {
  const std::vector<uint64_t> lengths =
      locks_.is_local() ? std::vector<uint64_t>{2, 3, 10, 11, 12, 40} : std::vector<uint64_t>{2, 3, 12};
  for (const uint64_t length : lengths) {
    SCOPED_TRACE(length);
    for (uint64_t owner = 1; owner <= length; ++owner)
      ASSERT_TRUE(granted(posix(LockType::kWrite, owner, owner, owner)));
    std::vector<Outcome> waiting;
    for (uint64_t owner = length - 1; owner >= 1; --owner) {
      waiting.push_back(set(posix(LockType::kWrite, owner, owner + 1, owner + 1), true));
      ASSERT_TRUE(is_open(waiting.back())) << "owner " << owner << " waits for one that can go on";
    }
    waiting.push_back(set(posix(LockType::kWrite, length, 1, 1), true));
    const auto in_deadlock = [&] {
      return std::count_if(waiting.begin(), waiting.end(),
                           [](const Outcome& one) { return failed_with(one, Code::kDeadlock); });
    };
    EXPECT_TRUE(comes_true([&] { return in_deadlock() > 0; }));
    for (uint64_t owner = length; owner >= 1; --owner) release(kFile, LockKind::kPosix, owner);
    // What is waited for behind one that has just been released is granted, and released in turn.
    for (uint64_t round = 0; round < 2; ++round)
      for (uint64_t owner = length; owner >= 1; --owner) release(kFile, LockKind::kPosix, owner);
    EXPECT_TRUE(comes_true([&] { return std::none_of(waiting.begin(), waiting.end(), is_open); }));
    EXPECT_EQ(in_deadlock(), 1);
    EXPECT_EQ(std::count_if(waiting.begin(), waiting.end(), is_granted), static_cast<ptrdiff_t>(length) - 1);
    for (uint64_t owner = length; owner >= 1; --owner) release(kFile, LockKind::kPosix, owner);
  }
}

/// A small file of which each byte knows who has it locked: the definition of fcntl locks.
class ByteModel {
 public:
  static constexpr uint64_t kBytes = 24;
  static constexpr uint64_t kOwners = 4;

  bool may_set(const Lock& wanted) const {
    if (wanted.type == LockType::kNone) return true;
    for (uint64_t owner = 0; owner < kOwners; ++owner)
      for (uint64_t byte = wanted.first; byte <= wanted.last && owner != wanted.owner; ++byte)
        if (held_[owner][byte] == LockType::kWrite ||
            (held_[owner][byte] == LockType::kRead && wanted.type == LockType::kWrite))
          return false;
    return true;
  }
  void set(const Lock& lock) {
    for (uint64_t byte = lock.first; byte <= lock.last; ++byte) held_[lock.owner][byte] = lock.type;
  }
  LockType held(uint64_t owner, uint64_t byte) const { return held_[owner][byte]; }
  void release(uint64_t owner) { held_[owner].fill(LockType::kNone); }

  ByteModel() {
    for (auto& bytes : held_) bytes.fill(LockType::kNone);
  }

 private:
  std::array<std::array<LockType, kBytes>, kOwners> held_;
};

class LocksModel : public LocksConformance {
 protected:
  void compare(const ByteModel& model) {
    for (uint64_t owner = 0; owner < ByteModel::kOwners; ++owner) {
      bool any = false;
      for (uint64_t byte = 0; byte < ByteModel::kBytes; ++byte) {
        any = any || model.held(owner, byte) != LockType::kNone;
        for (LockType type : {LockType::kRead, LockType::kWrite}) {
          Lock wanted = posix(type, owner, byte, byte);
          bool free = meets(kFile, wanted).type == LockType::kNone;
          ASSERT_EQ(free, model.may_set(wanted)) << "owner " << owner << " byte " << byte;
        }
      }
      ASSERT_EQ(holds(LockKind::kPosix, owner), any) << "owner " << owner;
    }
  }
};

TEST_P(LocksModel, random_calls_agree_with_a_table_of_bytes) {
  const bool quick = GetParam() == World::kLocal;
  const int steps = quick ? 2000 : 300;
  for (uint64_t seed = 1; seed <= (quick ? 3u : 1u); ++seed) {
    SeededRandom random(seed);
    ByteModel model;
    for (int step = 0; step < steps; ++step) {
      uint64_t a = random.below(ByteModel::kBytes), b = random.below(ByteModel::kBytes);
      auto type = static_cast<LockType>(random.below(3));
      Lock lock = posix(type, random.below(ByteModel::kOwners), std::min(a, b), std::max(a, b));
      if (random.below(20) == 0) {
        release(kFile, LockKind::kPosix, lock.owner);
        model.release(lock.owner);
      } else {
        ASSERT_EQ(granted(lock), model.may_set(lock)) << "step " << step;
        if (model.may_set(lock)) model.set(lock);
      }
      if (!quick && step % 10 != 0) continue;
      ASSERT_NO_FATAL_FAILURE(compare(model)) << "step " << step << ", seed " << seed;
    }
    for (uint64_t owner = 0; owner < ByteModel::kOwners; ++owner) release(kFile, LockKind::kPosix, owner);
  }
}

/// Owners take and release at random, and give up some waits: never two at once, and none waits for ever.
TEST_P(LocksConformance, owners_that_wait_take_turns) {
  constexpr uint64_t kOwners = 6;
  const int turns = GetParam() == World::kThreeNodesPostgres ? 15 : 60;
  std::array<std::atomic<int>, 3> inside{};  // by byte
  std::atomic<int> granted_count = 0, interrupted = 0, wrong = 0;
  std::vector<std::thread> threads;
  std::atomic<uint64_t> requests = 1000;
  for (uint64_t owner = 0; owner < kOwners; ++owner) {
    threads.emplace_back([&, owner] {
      SeededRandom random(owner + 1);
      for (int turn = 0; turn < turns; ++turn) {
        const uint64_t byte = random.below(inside.size());
        const uint64_t request = ++requests;
        auto outcome = std::make_shared<std::atomic<int>>(LockCalls::kOpen);
        locks_.of(owner).set(kFile, posix(LockType::kWrite, owner, byte, byte), true, request,
                             [outcome](const Status& status) {
                               *outcome = status ? LockCalls::kGranted : static_cast<int>(status.error().code);
                             });
        if (random.below(5) == 0) locks_.of(owner).interrupt(request);
        if (!answered(outcome)) {
          ++wrong;
          return;
        }
        if (failed_with(outcome, Code::kInterrupted)) {
          ++interrupted;
          continue;
        }
        if (!is_granted(outcome)) ++wrong;
        if (++inside[byte] != 1) ++wrong;
        ++granted_count;
        if (random.below(3) == 0) std::this_thread::sleep_for(std::chrono::microseconds(300));
        --inside[byte];
        if (random.below(2) == 0) {
          release(kFile, LockKind::kPosix, owner);
        } else {
          locks_.of(owner).set(kFile, posix(LockType::kNone, owner, 0, kToEnd), false, ++requests,
                               [&](const Status& done) {
                                 if (!done) ++wrong;
                               });
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
  EXPECT_EQ(granted_count + interrupted, static_cast<int>(kOwners) * turns);
  EXPECT_GT(granted_count, 0);
  EXPECT_EQ(at(0), LockType::kNone);
}

std::string name_of(const ::testing::TestParamInfo<World>& info) { return world_name(info.param); }
const auto kWorlds = ::testing::Values(World::kLocal, World::kOneNode, World::kThreeNodes, World::kThreeNodesFaulty,
                                       World::kThreeNodesPostgres);
INSTANTIATE_TEST_SUITE_P(Worlds, LocksConformance, kWorlds, name_of);
INSTANTIATE_TEST_SUITE_P(Worlds, LocksModel, kWorlds, name_of);

}  // namespace
}  // namespace weir::vfs
