#include "cache/staging.h"

#include <unistd.h>

#include <filesystem>

#include "cache/cache_fixture.h"

namespace weir::cache::testing {
namespace {

using StagingTest = CacheTest;
constexpr size_t kMib = 1u << 20;

size_t files(const Layout& layout) {
  size_t count = 0;
  for ([[maybe_unused]] const auto& file : std::filesystem::directory_iterator(layout.staging())) ++count;
  return count;
}

Bytes read(const Staging& staging, uint64_t offset, size_t count) {
  Bytes bytes(count, 'x');
  EXPECT_TRUE(staging.read(offset, bytes));
  return bytes;
}

TEST_F(StagingTest, unwritten_ranges_and_those_behind_the_end_read_as_zeros) {
  auto staging = cache_->new_staging().value();
  ASSERT_TRUE(staging->write(100, "abc"));
  EXPECT_EQ(read(*staging, 98, 8), Bytes("\0\0abc\0\0\0", 8));
  EXPECT_EQ(read(*staging, 5000, 3), Bytes(3, '\0'));
}

TEST_F(StagingTest, truncation_forgets_bytes_for_good) {
  auto staging = cache_->new_staging().value();
  ASSERT_TRUE(staging->write(0, "abcdef"));
  ASSERT_TRUE(staging->truncate(3));
  ASSERT_TRUE(staging->truncate(6));
  EXPECT_EQ(read(*staging, 0, 6), Bytes("abc\0\0\0", 6));
}

TEST_F(StagingTest, a_punched_range_reads_as_zeros_and_frees_its_blocks) {
  auto staging = staged(*cache_, pattern(1, 4 * kMib));
  ASSERT_TRUE(staging->sync());
  uint64_t before = cache_->usage().staging_bytes;
  EXPECT_GE(before, 4 * kMib);
  ASSERT_TRUE(staging->punch(kMib, 2 * kMib));
  EXPECT_EQ(read(*staging, kMib, 100), Bytes(100, '\0'));
  EXPECT_EQ(read(*staging, 3 * kMib, 100), pattern(1, 4 * kMib).substr(3 * kMib, 100));
  EXPECT_LE(cache_->usage().staging_bytes, before - 2 * kMib);
}

TEST_F(StagingTest, a_staging_file_goes_with_its_object) {
  auto staging = staged(*cache_, pattern(1, 4 * kMib));
  ASSERT_TRUE(staging->save_record("record"));
  EXPECT_EQ(files(layout_), 1u);
  staging.reset();
  EXPECT_EQ(files(layout_), 0u);
  EXPECT_EQ(cache_->usage().staging_bytes, 0u);
  reopen();
  EXPECT_TRUE(cache_->take_recovered().empty());
}

TEST_F(StagingTest, what_is_kept_with_a_record_is_recovered_in_order_and_once) {
  auto first = staged(*cache_, "first");
  auto second = staged(*cache_, "second");
  uint64_t second_id = second->id();
  ASSERT_TRUE(second->save_record("old record"));
  ASSERT_TRUE(second->save_record("second record"));
  ASSERT_TRUE(first->save_record("first record"));
  second->keep();
  first->keep();
  second.reset();
  first.reset();
  reopen();
  auto recovered = cache_->take_recovered();
  ASSERT_EQ(recovered.size(), 2u);
  EXPECT_EQ(recovered[0].record, "first record");
  EXPECT_EQ(read(*recovered[0].staging, 0, 5), "first");
  EXPECT_EQ(recovered[1].record, "second record");
  EXPECT_EQ(recovered[1].id, second_id);
  EXPECT_EQ(recovered[1].sealed, nullptr);
  EXPECT_TRUE(cache_->take_recovered().empty());
  EXPECT_GT(cache_->new_staging().value()->id(), second_id);
  recovered.clear();
  EXPECT_EQ(files(layout_), 0u);
}

TEST_F(StagingTest, what_nobody_takes_stays_for_the_life_after) {
  auto staging = staged(*cache_, "bytes");
  ASSERT_TRUE(staging->save_record("record"));
  staging->keep();
  staging.reset();
  reopen();
  reopen();
  EXPECT_EQ(cache_->take_recovered().size(), 1u);
}

TEST_F(StagingTest, a_kept_file_without_a_record_is_removed_in_the_next_life) {
  auto staging = staged(*cache_, "bytes");
  staging->keep();
  staging.reset();
  EXPECT_EQ(files(layout_), 1u);
  reopen();
  EXPECT_TRUE(cache_->take_recovered().empty());
  EXPECT_EQ(files(layout_), 0u);
}

TEST_F(StagingTest, a_seal_ends_the_record_unless_it_is_to_be_kept) {
  TestContent ended = content(1, 5 * kMib);
  TestContent kept = content(2, 5 * kMib);
  auto first = staged(*cache_, ended.bytes);
  ASSERT_TRUE(first->save_record("ended"));
  ASSERT_TRUE(cache_->seal(first, ended.manifest, every_chunk(ended)));
  auto second = staged(*cache_, kept.bytes);
  const uint64_t id = second->id();
  ASSERT_TRUE(second->save_record("kept"));
  ASSERT_TRUE(cache_->seal(second, kept.manifest, every_chunk(kept), true));
  reopen();
  auto recovered = cache_->take_recovered();
  ASSERT_EQ(recovered.size(), 1u);
  EXPECT_EQ(recovered[0].record, "kept");
  EXPECT_EQ(recovered[0].id, id);
  EXPECT_EQ(recovered[0].staging, nullptr);
  ASSERT_NE(recovered[0].sealed, nullptr);
  EXPECT_EQ(*recovered[0].sealed, *kept.manifest);
  EXPECT_TRUE(cache_->open_image(kept.id(), recovered[0].sealed).value()->complete());
  ASSERT_TRUE(cache_->forget_record(id));
  reopen();
  EXPECT_TRUE(cache_->take_recovered().empty());
}

TEST_F(StagingTest, a_record_whose_file_did_not_survive_is_dropped) {
  auto staging = staged(*cache_, "bytes");
  ASSERT_TRUE(staging->save_record("record"));
  const std::string path = layout_.staging(staging->id());
  staging->keep();
  staging.reset();
  std::filesystem::remove(path);
  reopen_after_power_loss();
  EXPECT_TRUE(cache_->take_recovered().empty());
}

}  // namespace
}  // namespace weir::cache::testing
