#include <thread>

#include "base/limits.h"
#include "cache/cache_fixture.h"

namespace weir::cache::testing {
namespace {

using SmallContentsTest = CacheTest;

ChunkId put(Cache& cache, uint64_t seed, size_t size) {
  Bytes bytes = pattern(seed, size);
  ChunkId id = chunk_id_of(bytes);
  CHECK(cache.put_small(id, bytes));
  return id;
}

TEST_F(SmallContentsTest, what_was_put_is_got_and_what_was_not_is_absent) {
  ChunkId id = put(*cache_, 1, limits::kSmallContentBytes);
  EXPECT_EQ(cache_->get_small(id).value(), pattern(1, limits::kSmallContentBytes));
  EXPECT_EQ(cache_->get_small(chunk_id_of("absent")).value(), std::nullopt);
}

TEST_F(SmallContentsTest, usage_counts_every_content_once) {
  put(*cache_, 1, 5000);
  put(*cache_, 1, 5000);
  put(*cache_, 2, 6000);
  EXPECT_EQ(cache_->usage().small_contents, 2u);
  EXPECT_EQ(cache_->usage().small_bytes, 11000u);
  EXPECT_EQ(cache_->usage().unstored_bytes, 0u);
}

TEST_F(SmallContentsTest, stored_content_is_there_in_the_next_life_and_counted) {
  ChunkId id = put(*cache_, 1, 5000);
  reopen();
  EXPECT_EQ(cache_->get_small(id).value(), pattern(1, 5000));
  EXPECT_EQ(cache_->usage().small_contents, 1u);
  EXPECT_EQ(cache_->usage().small_bytes, 5000u);
}

TEST_F(SmallContentsTest, unstored_content_cannot_be_evicted_until_it_is_stored) {
  Bytes bytes = pattern(1, 9000);
  ChunkId id = chunk_id_of(bytes);
  ASSERT_TRUE(cache_->put_small_unstored(id, bytes));
  auto records = cache_->unstored(0, 10);
  ASSERT_EQ(records.size(), 1u);
  EXPECT_TRUE(records[0].image.is_zero());
  EXPECT_EQ(records[0].chunks, std::vector<ChunkId>{id});
  EXPECT_EQ(records[0].bytes, 9000u);
  EXPECT_FALSE(cache_->evict_small(id));
  cache_->evict_to(0);
  reopen();
  EXPECT_EQ(cache_->get_small(id).value(), bytes);
  ASSERT_TRUE(cache_->mark_stored(cache_->unstored(0, 10).at(0)));
  EXPECT_TRUE(cache_->unstored(0, 10).empty());
  EXPECT_EQ(cache_->get_small(id).value(), bytes);
  EXPECT_EQ(cache_->usage().small_contents, 1u);
  EXPECT_EQ(cache_->usage().unstored_bytes, 0u);
  ASSERT_TRUE(cache_->evict_small(id));
  EXPECT_EQ(cache_->get_small(id).value(), std::nullopt);
  EXPECT_EQ(cache_->usage().small_bytes, 0u);
}

TEST_F(SmallContentsTest, a_newer_record_of_the_same_content_outlives_the_mark_of_the_older_one) {
  Bytes bytes = pattern(1, 9000);
  ChunkId id = chunk_id_of(bytes);
  ASSERT_TRUE(cache_->put_small_unstored(id, bytes));
  Unstored older = cache_->unstored(0, 10).at(0);
  ASSERT_TRUE(cache_->put_small_unstored(id, bytes));
  EXPECT_EQ(cache_->unstored(0, 10).size(), 1u);
  EXPECT_EQ(cache_->usage().unstored_bytes, 9000u);
  ASSERT_TRUE(cache_->mark_stored(older));
  EXPECT_EQ(cache_->unstored(0, 10).size(), 1u);
  reopen();
  EXPECT_EQ(cache_->get_small(id).value(), bytes);
  store_all(*cache_);
  EXPECT_TRUE(cache_->unstored(0, 10).empty());
}

TEST_F(SmallContentsTest, a_small_chunk_is_found_by_read_chunk) {
  ChunkId id = put(*cache_, 1, 5000);
  Bytes bytes(5000, '\0');
  EXPECT_TRUE(cache_->read_chunk(id, bytes).value());
  EXPECT_EQ(bytes, pattern(1, 5000));
}

TEST_F(SmallContentsTest, eviction_takes_what_was_not_used_twice_first) {
  std::vector<ChunkId> hot;
  for (uint64_t i = 0; i < 20; ++i) {
    hot.push_back(put(*cache_, i, 10'000));
    ASSERT_TRUE(cache_->get_small(hot.back()));
  }
  for (uint64_t i = 100; i < 1000; ++i) put(*cache_, i, 10'000);
  cache_->evict_to(400'000);
  EXPECT_LE(cache_->usage().small_bytes, 400'000u);
  EXPECT_GE(cache_->usage().small_bytes, 380'000u);
  for (const ChunkId& id : hot) EXPECT_TRUE(cache_->get_small(id).value());
  cache_->evict_to(0);
  EXPECT_EQ(cache_->usage().small_contents, 0u);
  for (const ChunkId& id : hot) EXPECT_FALSE(cache_->get_small(id).value());
}

TEST_F(SmallContentsTest, a_reader_in_a_race_with_the_upload_always_finds_the_content) {
  std::vector<ChunkId> ids;
  for (uint64_t i = 0; i < 500; ++i) {
    // More bytes than memory keeps, so that readers go to the databases.
    Bytes bytes = pattern(i, 40'000);
    ids.push_back(chunk_id_of(bytes));
    ASSERT_TRUE(cache_->put_small_unstored(ids.back(), bytes));
  }
  std::atomic<bool> done = false;
  std::atomic<int> absent = 0;
  std::thread reader([&] {
    for (size_t i = 0; !done; ++i)
      if (!cache_->get_small(ids[i % ids.size()]).value()) ++absent;
  });
  store_all(*cache_);
  done = true;
  reader.join();
  EXPECT_EQ(absent, 0);
}

}  // namespace
}  // namespace weir::cache::testing
