#include <gtest/gtest.h>

#include "base/limits.h"
#include "cache/hot_contents.h"
#include "cache/use_filter.h"
#include "model/chunk.h"

namespace weir::cache {
namespace {

ChunkId id_of(uint64_t number) { return ChunkId(sha256({reinterpret_cast<const char*>(&number), sizeof number})); }

TEST(UseFilterTest, the_second_use_is_remembered_the_first_is_not) {
  UseFilter filter;
  EXPECT_FALSE(filter.used_again(id_of(1)));
  filter.touch(id_of(1));
  EXPECT_FALSE(filter.used_again(id_of(1)));
  filter.touch(id_of(1));
  EXPECT_TRUE(filter.used_again(id_of(1)));
  EXPECT_FALSE(filter.used_again(id_of(2)));
}

TEST(UseFilterTest, a_pass_over_very_many_chunks_is_not_taken_for_use) {
  UseFilter filter;
  for (uint64_t i = 0; i < 1'200'000; ++i) filter.touch(id_of(i));
  size_t taken = 0;
  for (uint64_t i = 1'100'000; i < 1'200'000; ++i) taken += filter.used_again(id_of(i));
  EXPECT_LT(taken, 5000u);
}

TEST(UseFilterTest, what_is_used_all_the_time_stays_remembered_what_is_not_is_forgotten) {
  UseFilter filter;
  for (int i = 0; i < 2; ++i) filter.touch(id_of(uint64_t{1} << 40));
  for (uint64_t i = 0; i < 1'200'000; ++i) {
    filter.touch(id_of(i));
    if (i % 1000 == 0) filter.touch(id_of(uint64_t{1} << 41));
  }
  EXPECT_TRUE(filter.used_again(id_of(uint64_t{1} << 41)));
  EXPECT_FALSE(filter.used_again(id_of(uint64_t{1} << 40)));
}

TEST(HotContentsTest, keeps_what_was_used_last_within_its_bytes) {
  HotContents hot;
  const size_t size = 64u << 10;
  const uint64_t fitting = limits::kCacheHotSmallBytes / size;
  auto bytes = std::make_shared<const Bytes>(size, 'x');
  for (uint64_t i = 0; i < fitting; ++i) hot.put(id_of(i), bytes);
  EXPECT_TRUE(hot.get(id_of(0)));
  hot.put(id_of(fitting), bytes);
  EXPECT_TRUE(hot.get(id_of(0)));
  EXPECT_FALSE(hot.get(id_of(1)));
  EXPECT_TRUE(hot.get(id_of(2)));
  hot.erase(id_of(2));
  hot.erase(id_of(2));
  EXPECT_FALSE(hot.get(id_of(2)));
}

}  // namespace
}  // namespace weir::cache
