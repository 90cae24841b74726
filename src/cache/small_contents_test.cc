#include <fcntl.h>
#include <unistd.h>

#include <filesystem>
#include <thread>

#include "base/io.h"
#include "base/limits.h"
#include "cache/cache_fixture.h"
#include "cache/small_store.h"

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
  EXPECT_GE(cache_->usage().small_bytes, 200'000u);
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

TEST_F(SmallContentsTest, bytes_that_a_power_loss_took_are_absent_and_can_be_put_again) {
  ChunkId id = put(*cache_, 1, 20'000);
  ChunkId intact = put(*cache_, 2, 20'000);
  cache_.reset();
  FileDescriptor segment = io::open_file(layout_.small(1), O_RDWR).value();
  ASSERT_TRUE(io::write_at(segment.get(), Bytes(4096, '\0'), 0));
  reopen_after_power_loss();
  EXPECT_EQ(cache_->get_small(id).value(), std::nullopt);
  EXPECT_EQ(cache_->get_small(intact).value(), pattern(2, 20'000));
  put(*cache_, 1, 20'000);
  EXPECT_EQ(cache_->get_small(id).value(), pattern(1, 20'000));
  EXPECT_EQ(cache_->usage().small_contents, 2u);
  cache_.reset();
  ASSERT_EQ(::truncate(layout_.small(1).c_str(), 30'000), 0);
  std::filesystem::remove(layout_.small(2));
  open();
  EXPECT_EQ(cache_->get_small(id).value(), std::nullopt);
  EXPECT_EQ(cache_->get_small(intact).value(), std::nullopt);
}

TEST_F(SmallContentsTest, segments_of_an_index_that_is_gone_are_removed) {
  put(*cache_, 1, 20'000);
  cache_.reset();
  std::filesystem::remove_all(layout_.index());
  open();
  EXPECT_FALSE(std::filesystem::exists(layout_.small(1)));
  EXPECT_EQ(cache_->usage().small_contents, 0u);
}

/// A store with small segments.
class SmallStoreTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(io::make_directories(layout_.small()));
    open(true);
  }
  void open(bool keep) {
    store_.reset();
    index_.reset();
    index_ = Database::open(layout_.index(), memory_).value();
    store_ = std::make_unique<SmallStore>(*index_, locks_, layout_, 100'000);
    ASSERT_TRUE(store_->open(keep));
    ASSERT_TRUE(store_->count());
  }
  ChunkId put(uint64_t seed) {
    Bytes bytes = pattern(seed, 30'000);
    ChunkId id = chunk_id_of(bytes);
    EXPECT_TRUE(store_->put(id, bytes));
    return id;
  }
  size_t files() const { return list_directory(layout_.small()).value().size(); }
  uint64_t evict(uint64_t bytes) {
    return store_->evict(bytes, [this](const ChunkId& id) { erased_.push_back(id); }).value();
  }

  const std::string files_ = use_memory_for_files();
  weir::testing::TemporaryDirectory directory_;
  Layout layout_{directory_.path()};
  DatabaseMemory memory_{uint64_t{1} << 40};
  KeyLocks locks_;
  std::unique_ptr<Database> index_;
  std::unique_ptr<SmallStore> store_;
  std::vector<ChunkId> erased_;
};

TEST_F(SmallStoreTest, the_oldest_go_first_and_the_disk_gets_their_space) {
  std::vector<ChunkId> ids;
  for (uint64_t i = 0; i < 16; ++i) ids.push_back(put(i));
  EXPECT_EQ(files(), 4u);
  EXPECT_EQ(store_->disk_bytes(), 480'000u);
  EXPECT_EQ(evict(130'000), 240'000u);
  EXPECT_EQ(files(), 2u);
  EXPECT_EQ(erased_, std::vector<ChunkId>(ids.begin(), ids.begin() + 8));
  for (size_t i = 0; i < ids.size(); ++i) EXPECT_EQ(store_->get(ids[i]).value().has_value(), i >= 8);
  EXPECT_EQ(store_->contents(), 8u);
  EXPECT_EQ(store_->bytes(), 240'000u);
  EXPECT_EQ(store_->disk_bytes(), 240'000u);
}

TEST_F(SmallStoreTest, what_is_hot_is_moved_until_nothing_else_is_left) {
  std::vector<ChunkId> ids;
  for (uint64_t i = 0; i < 16; ++i) ids.push_back(put(i));
  for (int use = 0; use < 2; ++use) store_->touch(ids[0]);
  EXPECT_GE(evict(200'000), 200'000u);
  EXPECT_EQ(store_->get(ids[0]).value(), pattern(0, 30'000));
  EXPECT_FALSE(store_->get(ids[1]).value());
  EXPECT_GE(evict(1'000'000), 200'000u);
  EXPECT_FALSE(store_->get(ids[0]).value());
  EXPECT_EQ(store_->contents(), 0u);
  EXPECT_EQ(store_->bytes(), 0u);
  EXPECT_EQ(store_->disk_bytes(), 0u);
  EXPECT_EQ(files(), 0u);
  EXPECT_EQ(evict(1), 0u);
}

TEST_F(SmallStoreTest, the_next_life_finds_the_segments_and_begins_a_new_one) {
  ChunkId first = put(1);
  open(true);
  ChunkId second = put(2);
  EXPECT_EQ(files(), 2u);
  EXPECT_EQ(store_->contents(), 2u);
  EXPECT_EQ(store_->disk_bytes(), 60'000u);
  EXPECT_EQ(store_->get(first).value(), pattern(1, 30'000));
  EXPECT_EQ(store_->get(second).value(), pattern(2, 30'000));
}

TEST_F(SmallStoreTest, erased_content_is_counted_off_and_its_space_goes_with_the_segment) {
  ChunkId id = put(1);
  EXPECT_EQ(store_->erase(id).value(), 30'000u);
  EXPECT_EQ(store_->erase(id).value(), 0u);
  EXPECT_EQ(store_->contents(), 0u);
  EXPECT_EQ(store_->disk_bytes(), 30'000u);
  EXPECT_EQ(evict(1), 30'000u);
  EXPECT_EQ(store_->disk_bytes(), 0u);
}

}  // namespace
}  // namespace weir::cache::testing
