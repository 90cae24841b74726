#include "meta/lock_row.h"

#include <gtest/gtest.h>

#include "base/limits.h"
#include "base/random.h"

namespace weir::meta {
namespace {

NodeLock lock_of(uint32_t node, uint64_t owner, LockType type, uint64_t first, uint64_t last) {
  NodeLock lock;
  lock.node = NodeId{node};
  lock.owner = owner;
  lock.type = type;
  lock.first = first;
  lock.last = last;
  lock.epoch = 3;
  lock.pid = 77;
  return lock;
}

std::vector<std::string_view> views(const std::vector<Bytes>& parts) { return {parts.begin(), parts.end()}; }

TEST(LockRowTest, owners_of_two_nodes_are_two_although_their_kernels_name_them_alike) {
  LockRow row;
  row.apply(lock_of(1, 5, LockType::kWrite, 0, 9));
  EXPECT_EQ(row.conflict_with(lock_of(1, 5, LockType::kWrite, 0, 9)), nullptr);
  ASSERT_NE(row.conflict_with(lock_of(2, 5, LockType::kWrite, 9, 20)), nullptr);
  EXPECT_EQ(row.conflict_with(lock_of(2, 5, LockType::kWrite, 10, 20)), nullptr);
  EXPECT_TRUE(row.holds_any(NodeId{1}, LockKind::kPosix, 5));
  EXPECT_FALSE(row.holds_any(NodeId{2}, LockKind::kPosix, 5));
}

TEST(LockRowTest, what_is_held_covers_what_its_pieces_cover) {
  LockRow row;
  row.apply(lock_of(1, 5, LockType::kWrite, 0, 9));
  row.apply(lock_of(1, 5, LockType::kRead, 10, 19));
  EXPECT_TRUE(row.covers(lock_of(1, 5, LockType::kRead, 3, 19)));
  EXPECT_FALSE(row.covers(lock_of(1, 5, LockType::kWrite, 3, 19)));
  EXPECT_FALSE(row.covers(lock_of(1, 5, LockType::kRead, 3, 20)));
  EXPECT_FALSE(row.covers(lock_of(1, 6, LockType::kRead, 3, 4)));
  row.apply(lock_of(1, 5, LockType::kWrite, 20, UINT64_MAX));
  EXPECT_TRUE(row.covers(lock_of(1, 5, LockType::kRead, 0, UINT64_MAX)));
}

TEST(LockRowTest, is_what_it_was_after_a_way_through_bytes) {
  SeededRandom random(1);
  LockRow row;
  for (int i = 0; i < 300; ++i) {
    const uint64_t first = random.below(1000);
    NodeLock lock = lock_of(static_cast<uint32_t>(random.below(3)), random.below(5), LockType::kRead, first,
                            first + random.below(20));
    row.apply(lock);
    lock.kind = LockKind::kFlock;
    lock.type = LockType::kWrite;
    if (random.below(3) == 0) row.waiting.push_back({lock, random.next_u64()});
  }
  const std::vector<Bytes> parts = row.encode(9);
  auto again = LockRow::decode(views(parts));
  ASSERT_TRUE(again.has_value()) << again.error().what;
  EXPECT_EQ(again->held, row.held);
  EXPECT_EQ(again->waiting, row.waiting);
  EXPECT_TRUE(LockRow().encode(1).empty());
}

TEST(LockRowTest, a_full_table_goes_into_rows_that_the_engine_takes) {
  LockRow row;
  // Every other byte, each by an owner of its own: nothing merges, and nothing is common to two.
  for (uint64_t i = 0; i < limits::kLocksOfFile; ++i)
    row.waiting.push_back({lock_of(1, i, LockType::kRead, 2 * i, 2 * i), i});
  const std::vector<Bytes> parts = row.encode(7);
  size_t bytes = 0;
  for (const Bytes& part : parts) {
    EXPECT_LE(part.size(), limits::kValueBytes);
    bytes += part.size();
  }
  EXPECT_LT(bytes, limits::kTransactionBytes - 4096);
  EXPECT_EQ(*LockRow::count_parts(parts[0]), parts.size());
  auto again = LockRow::decode(views(parts));
  ASSERT_TRUE(again.has_value()) << again.error().what;
  EXPECT_EQ(again->waiting, row.waiting);
}

TEST(LockRowTest, parts_of_two_states_are_not_taken_for_one) {
  LockRow row;
  for (uint64_t i = 0; i < 4000; ++i) row.held.push_back(lock_of(1, 1, LockType::kRead, 2 * i, 2 * i));
  const std::vector<Bytes> before = row.encode(1);
  row.held.back().last += 1;
  const std::vector<Bytes> after = row.encode(2);
  ASSERT_EQ(before.size(), 2u);
  auto mixed = LockRow::decode({before[0], after[1]});
  ASSERT_FALSE(mixed.has_value());
  EXPECT_EQ(mixed.error().code, Code::kConflict);
  EXPECT_FALSE(LockRow::decode({before[0]}).has_value());
}

TEST(LockRowTest, bytes_that_no_table_makes_are_refused) {
  LockRow row;
  row.apply(lock_of(1, 5, LockType::kWrite, 0, 9));
  row.waiting.push_back({lock_of(2, 5, LockType::kWrite, 0, 9), 4});
  const Bytes good = row.encode(1)[0];
  ASSERT_TRUE(LockRow::decode({good}).has_value());
  for (size_t cut = 0; cut < good.size(); ++cut)
    EXPECT_FALSE(LockRow::decode({std::string_view(good).substr(0, cut)}).has_value()) << cut;
  EXPECT_FALSE(LockRow::decode({good + "x"}).has_value());
}

}  // namespace
}  // namespace weir::meta
