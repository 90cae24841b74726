// What the conformance suite of locks (locks_conformance_test.cc) does not ask of every implementation.
#include "vfs/lock_table.h"

#include <gtest/gtest.h>

#include <array>
#include <memory>
#include <optional>

#include "base/random.h"

namespace weir::vfs {
namespace {

constexpr InodeId kFile{7};
constexpr InodeId kOther{8};
constexpr uint64_t kToEnd = UINT64_MAX;

Lock posix(LockType type, uint64_t owner, uint64_t first, uint64_t last) {
  return {LockKind::kPosix, type, owner, first, last, static_cast<uint32_t>(owner)};
}

class LockTableTest : public ::testing::Test {
 protected:
  using Outcome = std::shared_ptr<std::optional<Status>>;  // absent while it waits

  Outcome set(const Lock& lock, bool wait = false, InodeId inode = kFile) {
    auto outcome = std::make_shared<std::optional<Status>>();
    last_request_ = ++requests_;
    table_.set(inode, lock, wait, last_request_, [outcome](const Status& status) {
      ASSERT_FALSE(outcome->has_value()) << "called twice";
      *outcome = status;
    });
    return outcome;
  }
  bool granted(const Lock& lock, InodeId inode = kFile) {
    Outcome outcome = set(lock, false, inode);
    EXPECT_TRUE(outcome->has_value());
    return outcome->has_value() && (*outcome)->has_value();
  }
  static bool is_granted(const Outcome& outcome) { return outcome->has_value() && (*outcome)->has_value(); }
  static Code code_of(const Outcome& outcome) { return outcome->value().error().code; }

  Lock meets(InodeId inode, const Lock& wanted) {
    auto conflict = table_.conflicting(inode, wanted);
    EXPECT_TRUE(conflict.has_value());
    return conflict ? *conflict : Lock{};
  }
  /// What another owner meets on that byte.
  LockType at(uint64_t byte, LockKind kind = LockKind::kPosix) {
    Lock wanted{kind, LockType::kWrite, 999, byte, byte, 1};
    return meets(kFile, wanted).type;
  }

  LockTable table_;
  uint64_t requests_ = 0;
  uint64_t last_request_ = 0;
};

/// Owner i holds byte i and waits for byte i + 1.
class LockChainTest : public LockTableTest, public ::testing::WithParamInterface<uint64_t> {};

TEST_P(LockChainTest, a_chain_is_no_deadlock_until_it_closes) {
  const uint64_t length = GetParam();
  for (uint64_t owner = 1; owner <= length; ++owner) ASSERT_TRUE(granted(posix(LockType::kWrite, owner, owner, owner)));
  std::vector<Outcome> waiting;
  for (uint64_t owner = length - 1; owner >= 1; --owner) {
    waiting.push_back(set(posix(LockType::kWrite, owner, owner + 1, owner + 1), true));
    ASSERT_FALSE(waiting.back()->has_value()) << "owner " << owner << " waits for one that can go on";
  }
  Outcome closes = set(posix(LockType::kWrite, length, 1, 1), true);
  ASSERT_TRUE(closes->has_value());
  EXPECT_EQ(code_of(closes), Code::kDeadlock);
  for (uint64_t owner = length; owner >= 1; --owner) table_.release_owner(kFile, LockKind::kPosix, owner);
  for (const Outcome& outcome : waiting) EXPECT_TRUE(is_granted(outcome));
}

INSTANTIATE_TEST_SUITE_P(Lengths, LockChainTest, ::testing::Values(2, 3, 10, 11, 12, 40));

TEST_F(LockTableTest, looking_for_a_deadlock_goes_to_each_owner_once) {
  // Each row of owners holds a byte together and waits for the next row's: the ways through are 8 to the 8th.
  constexpr uint64_t kRows = 10, kOwners = 8;
  auto owner = [](uint64_t row, uint64_t number) { return row * 100 + number; };
  for (uint64_t row = 0; row < kRows; ++row)
    for (uint64_t i = 0; i < kOwners; ++i) ASSERT_TRUE(granted(posix(LockType::kRead, owner(row, i), row, row)));
  for (uint64_t row = kRows - 1; row-- > 0;)
    for (uint64_t i = 0; i < kOwners; ++i)
      ASSERT_FALSE(set(posix(LockType::kWrite, owner(row, i), row + 1, row + 1), true)->has_value());
  EXPECT_EQ(code_of(set(posix(LockType::kWrite, owner(kRows - 1, 3), 0, 0), true)), Code::kDeadlock);
}

TEST_F(LockTableTest, a_callback_may_use_the_table) {
  ASSERT_TRUE(granted(posix(LockType::kWrite, 1, 0, 9)));
  bool called = false;
  table_.set(kFile, posix(LockType::kWrite, 2, 0, 9), true, 77, [&](const Status& status) {
    EXPECT_TRUE(status.has_value());
    table_.release_owner(kFile, LockKind::kPosix, 2);
    called = true;
  });
  table_.release_owner(kFile, LockKind::kPosix, 1);
  EXPECT_TRUE(called);
  EXPECT_FALSE(table_.may_hold(kFile, LockKind::kPosix, 2));
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

class LockModelTest : public LockTableTest, public ::testing::WithParamInterface<uint64_t> {
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
      ASSERT_EQ(table_.may_hold(kFile, LockKind::kPosix, owner), any) << "owner " << owner;
    }
  }
};

TEST_P(LockModelTest, random_calls_agree_with_a_table_of_bytes) {
  SeededRandom random(GetParam());
  ByteModel model;
  for (int step = 0; step < 2000; ++step) {
    uint64_t a = random.below(ByteModel::kBytes), b = random.below(ByteModel::kBytes);
    auto type = static_cast<LockType>(random.below(3));
    Lock lock = posix(type, random.below(ByteModel::kOwners), std::min(a, b), std::max(a, b));
    if (random.below(20) == 0) {
      table_.release_owner(kFile, LockKind::kPosix, lock.owner);
      model.release(lock.owner);
    } else {
      ASSERT_EQ(granted(lock), model.may_set(lock)) << "step " << step;
      if (model.may_set(lock)) model.set(lock);
    }
    ASSERT_NO_FATAL_FAILURE(compare(model)) << "step " << step << ", seed " << GetParam();
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, LockModelTest, ::testing::Values(1, 2, 3));

}  // namespace
}  // namespace weir::vfs
