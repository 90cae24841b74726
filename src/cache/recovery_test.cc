#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "base/io.h"
#include "base/limits.h"
#include "cache/cache_fixture.h"

namespace weir::cache::testing {
namespace {

constexpr size_t kMib = 1u << 20;
namespace fs = std::filesystem;

class RecoveryTest : public CacheTest {
 protected:
  /// What a power loss does to bytes that were not synced.
  static void zero(const std::string& path, uint64_t offset, size_t count) {
    FileDescriptor fd = io::open_file(path, O_WRONLY).value();
    ASSERT_TRUE(io::write_at(fd.get(), Bytes(count, '\0'), offset));
  }
  static void write_file(const std::string& path, std::string_view bytes) { std::ofstream(path) << bytes; }
  std::shared_ptr<Image> opened(const TestContent& content) {
    return cache_->open_image(content.id(), content.manifest).value();
  }
};

TEST_F(RecoveryTest, a_file_that_ends_in_a_hole_is_whole_although_a_power_loss_took_the_size_of_its_image) {
  TestContent wanted(pattern(1, 2 * limits::kChunkBytes) + Bytes(100'000, '\0'));
  ASSERT_TRUE(opened(wanted)->fill(0, wanted.chunk(0)));
  cache_.reset();
  ASSERT_EQ(::truncate(layout_.partial_image(wanted.id()).c_str(), limits::kChunkBytes), 0);
  open();
  std::shared_ptr<Image> image = filled(*cache_, wanted);
  EXPECT_TRUE(image->complete());
  EXPECT_TRUE(bytes_of(*image) == wanted.bytes);
}

TEST_F(RecoveryTest, a_file_is_not_longer_because_a_power_loss_took_the_size_that_it_had_at_last) {
  TestContent written = content(1, kMib + 5000);
  sealed(*cache_, written);
  cache_.reset();
  ASSERT_EQ(::truncate(layout_.partial_image(written.id()).c_str(), kMib + 8192), 0);
  reopen_after_power_loss();
  store_all(*cache_);
  EXPECT_EQ(fs::file_size(layout_.final_image(written.id())), kMib + 5000);
}

TEST_F(RecoveryTest, a_second_power_loss_that_undoes_a_new_name_given_after_the_first_takes_nothing) {
  TestContent written = content(1, 5 * kMib);
  auto staging = cache_->new_staging().value();
  const std::string staged = layout_.staging(staging->id());
  ASSERT_TRUE(staging->write(0, written.bytes));
  ASSERT_TRUE(staging->save_record("record"));
  ASSERT_TRUE(staging->sync());
  ASSERT_TRUE(cache_->seal(staging, written.manifest, {true, true}));
  const std::string part = layout_.partial_image(written.id());
  for (int losses = 0; losses < 2; ++losses) {
    cache_.reset();
    fs::rename(part, staged);
    reopen_after_power_loss();
  }
  EXPECT_TRUE(opened(written)->complete());
  EXPECT_TRUE(bytes_of(*opened(written)) == written.bytes);
}

TEST_F(RecoveryTest, leftover_files_that_nothing_names_are_removed_when_the_index_is_new) {
  TestContent stray = content(1, kMib);
  TestContent kept = content(2, kMib);
  filled(*cache_, kept);
  write_file(layout_.partial_image(stray.id()), "stray");
  write_file(layout_.staging(77), "stray");
  cache_.reset();
  fs::remove_all(layout_.index());
  open();
  EXPECT_FALSE(fs::exists(layout_.partial_image(stray.id())));
  EXPECT_FALSE(fs::exists(layout_.staging(77)));
  EXPECT_TRUE(opened(kept)->complete());
}

TEST_F(RecoveryTest, a_missing_index_is_built_anew_from_the_files) {
  TestContent complete = content(1, 9 * kMib);
  TestContent unstored = content(2, 9 * kMib);
  TestContent partly_unstored = content(3, 9 * kMib);
  TestContent incomplete = content(4, 9 * kMib);
  filled(*cache_, complete);
  sealed(*cache_, unstored);
  auto staging = cache_->new_staging().value();
  ASSERT_TRUE(staging->write(limits::kChunkBytes, partly_unstored.chunk(1)));
  ASSERT_TRUE(cache_->seal(staging, partly_unstored.manifest, {false, true, false}));
  ASSERT_TRUE(opened(incomplete)->fill(0, incomplete.chunk(0)));
  uint64_t complete_bytes = 9 * kMib;
  cache_.reset();
  fs::remove_all(layout_.index());
  open();
  EXPECT_GE(cache_->usage().image_bytes, complete_bytes * 2 + limits::kChunkBytes);
  EXPECT_EQ(cache_->usage().images_complete, 1u);
  EXPECT_EQ(cache_->usage().images, 3u);
  EXPECT_EQ(bytes_of(*opened(complete)), complete.bytes);
  EXPECT_TRUE(opened(unstored)->complete());
  EXPECT_EQ(bytes_of(*opened(unstored)), unstored.bytes);
  auto image = opened(partly_unstored);
  EXPECT_TRUE(image->has(1));
  EXPECT_EQ(image->missing_chunks(), 2u);
  EXPECT_EQ(opened(incomplete)->missing_chunks(), 3u);
  // The chunk map is whole again when the images have been opened.
  Bytes chunk(limits::kChunkBytes, '\0');
  EXPECT_TRUE(cache_->read_chunk(complete.manifest->chunks[1], chunk).value());
  EXPECT_EQ(chunk, complete.chunk(1));
  EXPECT_TRUE(cache_->read_chunk(unstored.manifest->chunks[1], chunk).value());
  image.reset();
  store_all(*cache_);
  cache_->evict_to(0);
  EXPECT_EQ(cache_->usage().images, 0u);
}

TEST_F(RecoveryTest, a_damaged_index_is_built_anew_from_the_files) {
  TestContent complete = content(1, 9 * kMib);
  filled(*cache_, complete);
  Bytes small = pattern(5, 20'000);
  ASSERT_TRUE(cache_->put_small_unstored(chunk_id_of(small), small));
  cache_.reset();
  size_t damaged = 0;
  for (const auto& file : fs::directory_iterator(layout_.index()))
    if (file.path().filename().string().starts_with("MANIFEST")) {
      fs::resize_file(file.path(), fs::file_size(file.path()) / 2);
      zero(file.path(), 0, fs::file_size(file.path()));
      ++damaged;
    }
  ASSERT_GT(damaged, 0u);
  open();
  EXPECT_EQ(bytes_of(*opened(complete)), complete.bytes);
  EXPECT_EQ(cache_->get_small(chunk_id_of(small)).value(), small);
  EXPECT_FALSE(fs::exists(layout_.damaged_index()));
}

TEST_F(RecoveryTest, a_damaged_journal_is_refused_not_dropped) {
  sealed(*cache_, content(1, kMib));
  cache_.reset();
  for (const auto& file : fs::directory_iterator(layout_.journal()))
    if (file.path().filename().string().starts_with("MANIFEST")) zero(file.path(), 0, fs::file_size(file.path()));
  auto refused = Cache::open(options_, clock_, {});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kCorrupt);
  EXPECT_NE(refused.error().what.find("journal"), std::string::npos);
}

TEST_F(RecoveryTest, chunks_of_an_incomplete_image_count_after_a_power_loss_only_when_checked) {
  TestContent wanted = content(1, 13 * kMib);
  auto image = opened(wanted);
  for (uint64_t i : {0, 1}) ASSERT_TRUE(image->fill(i, wanted.chunk(i)));
  image.reset();
  cache_.reset();
  zero(layout_.partial_image(wanted.id()), limits::kChunkBytes, 4096);
  reopen_after_power_loss();
  image = opened(wanted);
  EXPECT_FALSE(image->has(0));
  EXPECT_FALSE(image->has(1));
  // The bytes are still offered to who compares them with their ids.
  Bytes chunk(limits::kChunkBytes, '\0');
  for (bool held : {true, false}) {
    if (!held) image.reset();
    EXPECT_TRUE(cache_->read_chunk(wanted.manifest->chunks[0], chunk).value());
    EXPECT_EQ(chunk_id_of(chunk), wanted.manifest->chunks[0]);
    EXPECT_TRUE(cache_->read_chunk(wanted.manifest->chunks[1], chunk).value());
    EXPECT_NE(chunk_id_of(chunk), wanted.manifest->chunks[1]);
  }
  image = opened(wanted);
  ASSERT_TRUE(image->fill(0, wanted.chunk(0)));
  image.reset();
  reopen();
  image = opened(wanted);
  EXPECT_TRUE(image->has(0));
  EXPECT_FALSE(image->has(1));
  filled(*cache_, wanted);
  EXPECT_EQ(bytes_of(*image), wanted.bytes);
}

TEST_F(RecoveryTest, a_checked_copy_of_a_chunk_is_read_before_an_unchecked_one) {
  TestContent wanted = content(1, 9 * kMib);
  ASSERT_TRUE(opened(wanted)->fill(0, wanted.chunk(0)));
  cache_.reset();
  zero(layout_.partial_image(wanted.id()), 0, 4096);
  reopen_after_power_loss();
  TestContent other{Bytes(wanted.chunk(0)) + "more"};
  filled(*cache_, other);
  Bytes chunk(limits::kChunkBytes, '\0');
  EXPECT_TRUE(cache_->read_chunk(wanted.manifest->chunks[0], chunk).value());
  EXPECT_EQ(chunk, wanted.chunk(0));
}

TEST_F(RecoveryTest, a_power_loss_reports_exactly_the_unstored_chunks_that_it_took) {
  TestContent whole = content(1, 9 * kMib);
  TestContent hurt = content(2, 13 * kMib);
  TestContent gone = content(3, kMib);
  TestContent stored = content(4, 9 * kMib);
  sealed(*cache_, stored);
  store_all(*cache_);
  for (const TestContent* one : {&whole, &hurt, &gone}) sealed(*cache_, *one);
  Bytes small = pattern(9, 30'000);
  ASSERT_TRUE(cache_->put_small_unstored(chunk_id_of(small), small));
  cache_.reset();
  zero(layout_.partial_image(hurt.id()), limits::kChunkBytes + 128, 1);
  zero(layout_.partial_image(hurt.id()), 3 * limits::kChunkBytes, 4096);
  fs::remove(layout_.partial_image(gone.id()));
  reopen_after_power_loss();
  ASSERT_EQ(lost_.size(), 2u);
  std::sort(lost_.begin(), lost_.end(), [&](const auto& a, const auto&) { return a.first == hurt.id(); });
  EXPECT_EQ(lost_[0].first, hurt.id());
  EXPECT_EQ(lost_[0].second, (std::vector<ChunkId>{hurt.manifest->chunks[1], hurt.manifest->chunks[3]}));
  EXPECT_EQ(lost_[1].first, gone.id());
  EXPECT_EQ(lost_[1].second, gone.manifest->chunks);

  auto records = cache_->unstored(0, 10);
  ASSERT_EQ(records.size(), 3u);
  EXPECT_EQ(records[0].image, whole.id());
  EXPECT_EQ(records[1].image, hurt.id());
  EXPECT_EQ(records[1].chunks, (std::vector<ChunkId>{hurt.manifest->chunks[0], hurt.manifest->chunks[2]}));
  EXPECT_EQ(cache_->usage().unstored_bytes, 9 * kMib + 8 * kMib + 30'000);
  EXPECT_EQ(bytes_of(*opened(whole)), whole.bytes);
  EXPECT_EQ(bytes_of(*opened(stored)), stored.bytes);
  auto image = opened(hurt);
  EXPECT_TRUE(image->has(0));
  EXPECT_FALSE(image->has(1));
  EXPECT_EQ(opened(gone)->missing_chunks(), 1u);
  EXPECT_EQ(cache_->get_small(chunk_id_of(small)).value(), small);

  image.reset();
  lost_.clear();
  reopen();
  EXPECT_TRUE(lost_.empty());
  EXPECT_EQ(cache_->unstored(0, 10).size(), 3u);
}

TEST_F(RecoveryTest, without_a_power_loss_nothing_is_checked_again) {
  TestContent written = content(1, 9 * kMib);
  sealed(*cache_, written);
  cache_.reset();
  zero(layout_.partial_image(written.id()), 0, 1);
  open();
  EXPECT_TRUE(lost_.empty());
  EXPECT_EQ(cache_->unstored(0, 10).size(), 1u);
}

TEST_F(RecoveryTest, a_seal_whose_rename_is_missing_is_finished) {
  TestContent written = content(1, 9 * kMib);
  auto staging = staged(*cache_, written.bytes);
  const uint64_t id = staging->id();
  ASSERT_TRUE(cache_->seal(staging, written.manifest, every_chunk(written)));
  cache_.reset();
  // The state between the journal's record and the rename.
  fs::rename(layout_.partial_image(written.id()), layout_.staging(id));
  fs::remove_all(layout_.index());
  open();
  EXPECT_EQ(bytes_of(*opened(written)), written.bytes);
  EXPECT_FALSE(fs::exists(layout_.staging(id)));
  EXPECT_EQ(cache_->unstored(0, 10).size(), 1u);
  reopen();
  EXPECT_EQ(bytes_of(*opened(written)), written.bytes);
}

TEST_F(RecoveryTest, a_rename_that_the_index_does_not_know_of_is_found) {
  TestContent wanted = content(1, 9 * kMib);
  auto image = opened(wanted);
  ASSERT_TRUE(image->fill(0, wanted.chunk(0)));
  ASSERT_TRUE(image->fill(1, wanted.chunk(1)));
  image.reset();
  cache_.reset();
  // The state between the rename of a completed fill and the index's entry.
  FileDescriptor fd = io::open_file(layout_.partial_image(wanted.id()), O_WRONLY).value();
  ASSERT_TRUE(io::write_at(fd.get(), wanted.chunk(2), 2 * limits::kChunkBytes));
  fs::rename(layout_.partial_image(wanted.id()), layout_.final_image(wanted.id()));
  open();
  image = opened(wanted);
  EXPECT_TRUE(image->complete());
  EXPECT_EQ(bytes_of(*image), wanted.bytes);
  EXPECT_EQ(cache_->present_chunks(wanted.id()), 3u);
  image.reset();
  ASSERT_TRUE(cache_->evict_image(wanted.id()));
  EXPECT_FALSE(fs::exists(layout_.final_image(wanted.id())));
}

TEST_F(RecoveryTest, an_index_older_than_the_files_after_a_power_loss_does_no_harm) {
  TestContent early = content(1, 9 * kMib);
  filled(*cache_, early);
  cache_.reset();
  fs::copy(layout_.index(), directory_.file("old-index"));
  open();
  TestContent late = content(2, 9 * kMib);
  TestContent started = content(3, 9 * kMib);
  filled(*cache_, late);
  ASSERT_TRUE(opened(started)->fill(0, started.chunk(0)));
  ASSERT_TRUE(cache_->evict_image(early.id()));
  cache_.reset();
  fs::remove_all(layout_.index());
  fs::copy(directory_.file("old-index"), layout_.index());
  reopen_after_power_loss();
  EXPECT_EQ(bytes_of(*opened(late)), late.bytes);
  EXPECT_EQ(opened(early)->missing_chunks(), 3u);
  EXPECT_EQ(opened(started)->missing_chunks(), 3u);
  EXPECT_EQ(bytes_of(*filled(*cache_, started)), started.bytes);
}

}  // namespace
}  // namespace weir::cache::testing
