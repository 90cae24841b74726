#include <filesystem>
#include <thread>

#include "base/limits.h"
#include "cache/cache_fixture.h"

namespace weir::cache::testing {
namespace {

using SealTest = CacheTest;
constexpr size_t kMib = 1u << 20;

size_t staging_files(const Layout& layout) {
  size_t count = 0;
  for ([[maybe_unused]] const auto& file : std::filesystem::directory_iterator(layout.staging())) ++count;
  return count;
}

TEST_F(SealTest, a_sealed_image_is_complete_unstored_and_readable) {
  TestContent written = content(1, 9 * kMib);
  auto image = sealed(*cache_, written);
  EXPECT_TRUE(image->complete());
  EXPECT_EQ(bytes_of(*image), written.bytes);
  auto records = cache_->unstored(0, 10);
  ASSERT_EQ(records.size(), 1u);
  EXPECT_EQ(records[0].image, written.id());
  EXPECT_EQ(records[0].chunks, written.manifest->chunks);
  EXPECT_EQ(records[0].bytes, 9 * kMib);
  EXPECT_EQ(cache_->usage().unstored_bytes, 9 * kMib);
  EXPECT_EQ(staging_files(layout_), 0u);
}

TEST_F(SealTest, an_unstored_image_cannot_be_evicted_a_stored_one_can) {
  TestContent written = content(1, 9 * kMib);
  sealed(*cache_, written);
  Status busy = cache_->evict_image(written.id());
  ASSERT_FALSE(busy);
  EXPECT_EQ(busy.error().code, Code::kBusy);
  EXPECT_EQ(cache_->evict_to(0), 0u);
  store_all(*cache_);
  EXPECT_EQ(cache_->usage().unstored_bytes, 0u);
  EXPECT_TRUE(cache_->unstored(0, 10).empty());
  EXPECT_TRUE(std::filesystem::exists(layout_.final_image(written.id())));
  ASSERT_TRUE(cache_->evict_image(written.id()));
  EXPECT_EQ(cache_->present_chunks(written.id()), std::nullopt);
  EXPECT_EQ(cache_->usage().image_bytes, 0u);
}

TEST_F(SealTest, holes_and_duplicates_are_not_recorded) {
  Bytes twice = pattern(3, limits::kChunkBytes);
  TestContent written{twice + Bytes(limits::kChunkBytes, '\0') + twice};
  auto staging = cache_->new_staging().value();
  ASSERT_TRUE(staging->write(0, twice));
  ASSERT_TRUE(staging->write(2 * limits::kChunkBytes, twice));
  auto image = cache_->seal(staging, written.manifest, {true, false, true}).value();
  EXPECT_TRUE(image->complete());
  EXPECT_EQ(bytes_of(*image), written.bytes);
  auto records = cache_->unstored(0, 10);
  ASSERT_EQ(records.size(), 1u);
  EXPECT_EQ(records[0].chunks, std::vector<ChunkId>{written.manifest->chunks[0]});
  EXPECT_EQ(records[0].bytes, limits::kChunkBytes);
}

TEST_F(SealTest, the_file_gets_the_size_of_its_content) {
  TestContent written{pattern(1, kMib) + Bytes(limits::kChunkBytes, '\0')};
  auto staging = staged(*cache_, written.chunk(0));
  auto image = cache_->seal(staging, written.manifest, {true, false}).value();
  EXPECT_EQ(bytes_of(*image), written.bytes);
}

TEST_F(SealTest, a_partial_seal_lacks_the_other_chunks_until_they_are_filled) {
  TestContent written = content(1, 9 * kMib);
  auto staging = cache_->new_staging().value();
  ASSERT_TRUE(staging->write(limits::kChunkBytes, written.chunk(1)));
  auto image = cache_->seal(staging, written.manifest, {false, true, false}).value();
  EXPECT_EQ(staging, nullptr);
  EXPECT_FALSE(image->has(0));
  EXPECT_TRUE(image->has(1));
  EXPECT_EQ(cache_->unstored(0, 10)[0].chunks, std::vector<ChunkId>{written.manifest->chunks[1]});
  filled(*cache_, written);
  EXPECT_TRUE(image->complete());
  EXPECT_EQ(bytes_of(*image), written.bytes);
  EXPECT_TRUE(std::filesystem::exists(layout_.final_image(written.id())));
  EXPECT_EQ(cache_->unstored(0, 10).size(), 1u);
}

TEST_F(SealTest, sealing_what_is_here_already_keeps_one_file_and_one_record) {
  TestContent written = content(1, 9 * kMib);
  filled(*cache_, written);
  EXPECT_TRUE(cache_->unstored(0, 10).empty());
  auto image = sealed(*cache_, written);
  EXPECT_TRUE(image->complete());
  EXPECT_EQ(cache_->unstored(0, 10).size(), 1u);
  auto again = sealed(*cache_, written);
  EXPECT_EQ(again.get(), image.get());
  EXPECT_EQ(cache_->unstored(0, 10).size(), 1u);
  EXPECT_EQ(cache_->usage().unstored_bytes, 9 * kMib);
  EXPECT_EQ(cache_->usage().images, 1u);
  EXPECT_EQ(staging_files(layout_), 0u);
}

TEST_F(SealTest, a_reader_of_an_incomplete_image_sees_it_completed_by_a_seal) {
  TestContent written = content(1, 9 * kMib);
  auto reader = cache_->open_image(written.id(), written.manifest).value();
  ASSERT_TRUE(reader->fill(2, written.chunk(2)));
  auto writer = sealed(*cache_, written);
  EXPECT_EQ(reader.get(), writer.get());
  EXPECT_TRUE(reader->complete());
  EXPECT_EQ(bytes_of(*reader), written.bytes);
  reader.reset();
  writer.reset();
  reopen();
  EXPECT_EQ(bytes_of(*cache_->open_image(written.id(), written.manifest).value()), written.bytes);
}

TEST_F(SealTest, two_partial_seals_of_one_content_add_up) {
  TestContent written = content(1, 9 * kMib);
  for (size_t mine : {0, 2}) {
    auto staging = cache_->new_staging().value();
    ASSERT_TRUE(staging->write(mine * limits::kChunkBytes, written.chunk(mine)));
    std::vector<bool> own(3);
    own[mine] = true;
    ASSERT_TRUE(cache_->seal(staging, written.manifest, own));
  }
  auto records = cache_->unstored(0, 10);
  ASSERT_EQ(records.size(), 1u);
  EXPECT_EQ(records[0].chunks, (std::vector<ChunkId>{written.manifest->chunks[0], written.manifest->chunks[2]}));
  auto image = cache_->open_image(written.id(), written.manifest).value();
  EXPECT_EQ(image->missing_chunks(), 1u);
  ASSERT_TRUE(image->fill(1, written.chunk(1)));
  EXPECT_EQ(bytes_of(*image), written.bytes);
}

TEST_F(SealTest, an_image_of_nothing_new_is_known_to_the_index) {
  TestContent wanted = content(1, 5 * kMib);
  auto staging = cache_->new_staging().value();
  std::vector<bool> nothing(wanted.manifest->chunks.size());
  auto image = cache_->seal(staging, wanted.manifest, nothing).value();
  image.reset();
  for (const Unstored& record : cache_->unstored(0, 10)) ASSERT_TRUE(cache_->mark_stored(record));
  reopen();
  EXPECT_EQ(cache_->usage().images, 1u) << "a file that nobody knows takes room for ever";
  EXPECT_TRUE(cache_->evict_image(wanted.id()));
  EXPECT_FALSE(std::filesystem::exists(layout_.partial_image(wanted.id())));
}

TEST_F(SealTest, a_whole_seal_replaces_a_partial_image_nobody_uses) {
  TestContent written = content(1, 9 * kMib);
  auto reader = cache_->open_image(written.id(), written.manifest).value();
  ASSERT_TRUE(reader->fill(2, written.chunk(2)));
  reader.reset();
  auto image = sealed(*cache_, written);
  EXPECT_TRUE(image->complete());
  EXPECT_EQ(cache_->present_chunks(written.id()), 3u);
  EXPECT_EQ(bytes_of(*image), written.bytes);
}

TEST_F(SealTest, marking_an_older_record_stored_does_not_drop_a_newer_one) {
  TestContent written = content(1, 9 * kMib);
  sealed(*cache_, written);
  Unstored older = cache_->unstored(0, 1).at(0);
  sealed(*cache_, written);
  ASSERT_TRUE(cache_->mark_stored(older));
  auto records = cache_->unstored(0, 10);
  ASSERT_EQ(records.size(), 1u);
  EXPECT_GT(records[0].sequence, older.sequence);
  EXPECT_FALSE(cache_->evict_image(written.id()));
}

TEST_F(SealTest, a_failed_seal_gives_the_staging_back_with_its_record) {
  TestContent written = content(1, 5 * kMib);
  auto staging = staged(*cache_, written.bytes);
  ASSERT_TRUE(staging->save_record("mine"));
  // A directory where the image's directory should be a name makes the rename fail.
  std::filesystem::create_directories(layout_.partial_image(written.id()) + "/in-the-way");
  EXPECT_FALSE(cache_->seal(staging, written.manifest, every_chunk(written)));
  ASSERT_NE(staging, nullptr);
  Bytes got(written.bytes.size(), '\0');
  ASSERT_TRUE(staging->read(0, got));
  EXPECT_EQ(got, written.bytes);
  EXPECT_TRUE(cache_->unstored(0, 10).empty());
  EXPECT_EQ(cache_->usage().unstored_bytes, 0u);
  staging->keep();
  staging.reset();
  std::filesystem::remove_all(layout_.partial_image(written.id()));
  reopen();
  auto recovered = cache_->take_recovered();
  ASSERT_EQ(recovered.size(), 1u);
  EXPECT_EQ(recovered[0].record, "mine");
  EXPECT_TRUE(cache_->seal(recovered[0].staging, written.manifest, every_chunk(written)));
}

TEST_F(SealTest, records_come_oldest_first_and_waiting_ends_with_a_new_one) {
  TestContent first = content(1, 5 * kMib);
  TestContent second = content(2, 5 * kMib);
  sealed(*cache_, first);
  uint64_t newest = cache_->wait_unstored(0, 0);
  EXPECT_EQ(cache_->wait_unstored(newest, 1), newest);
  std::thread writer([&] { sealed(*cache_, second); });
  uint64_t newer = cache_->wait_unstored(newest, 10'000);
  writer.join();
  EXPECT_GT(newer, newest);
  auto records = cache_->unstored(0, 10);
  ASSERT_EQ(records.size(), 2u);
  EXPECT_EQ(records[0].image, first.id());
  EXPECT_EQ(records[1].image, second.id());
  EXPECT_EQ(cache_->unstored(records[0].sequence, 10).size(), 1u);
  EXPECT_EQ(cache_->unstored(0, 1).size(), 1u);
}

TEST_F(SealTest, records_and_usage_survive_into_the_next_life) {
  TestContent written = content(1, 9 * kMib);
  sealed(*cache_, written);
  ASSERT_TRUE(cache_->put_small_unstored(chunk_id_of("small"), "small"));
  auto before = cache_->unstored(0, 10);
  Usage usage = cache_->usage();
  reopen();
  auto after = cache_->unstored(0, 10);
  ASSERT_EQ(after.size(), 2u);
  EXPECT_EQ(after[0].sequence, before[0].sequence);
  EXPECT_EQ(after[0].chunks, before[0].chunks);
  EXPECT_EQ(cache_->usage().unstored_bytes, usage.unstored_bytes);
  EXPECT_EQ(cache_->usage().image_bytes, usage.image_bytes);
  EXPECT_EQ(cache_->usage().small_bytes, usage.small_bytes);
  EXPECT_EQ(cache_->usage().small_contents, 1u);
  EXPECT_FALSE(cache_->evict_image(written.id()));
  EXPECT_TRUE(cache_->open_image(written.id(), written.manifest).value()->complete());
  store_all(*cache_);
  EXPECT_TRUE(cache_->evict_image(written.id()));
}

TEST_F(SealTest, syncs_succeed_for_many_callers_at_once) {
  TestContent written = content(1, 5 * kMib);
  auto image = sealed(*cache_, written);
  std::vector<std::thread> callers;
  std::atomic<int> failed = 0;
  for (int i = 0; i < 8; ++i)
    callers.emplace_back([&] {
      if (!cache_->barrier() || !cache_->sync_image(*image) || !cache_->sync_journal()) ++failed;
    });
  for (std::thread& caller : callers) caller.join();
  EXPECT_EQ(failed, 0);
}

}  // namespace
}  // namespace weir::cache::testing
