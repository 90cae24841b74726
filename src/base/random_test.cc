#include "base/random.h"

#include <gtest/gtest.h>

#include <set>

namespace weir {
namespace {

TEST(Random, SeedGivesTheKnownSequence) {
  SeededRandom random(1234567);
  EXPECT_EQ(random.next_u64(), 6457827717110365317u);
  EXPECT_EQ(random.next_u64(), 3203168211198807973u);
  EXPECT_EQ(random.next_u64(), 9817491932198370423u);
}

TEST(Random, BelowReachesAllAndNothingElse) {
  SeededRandom random(1);
  std::set<uint64_t> seen;
  for (int i = 0; i < 1000; ++i) seen.insert(random.below(7));
  EXPECT_EQ(seen, (std::set<uint64_t>{0, 1, 2, 3, 4, 5, 6}));
}

TEST(Random, GivesAsManyBytesAsAsked) {
  SeededRandom random(1);
  for (size_t count : {0, 1, 7, 8, 9, 1000}) EXPECT_EQ(random.bytes(count).size(), count);
}

TEST(Random, SystemDoesNotRepeat) {
  SystemRandom random;
  std::set<uint64_t> seen;
  for (int i = 0; i < 1000; ++i) seen.insert(random.next_u64());
  EXPECT_EQ(seen.size(), 1000u);
  EXPECT_NE(random.bytes(32), random.bytes(32));
}

}  // namespace
}  // namespace weir
