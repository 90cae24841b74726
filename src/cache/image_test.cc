#include "cache/image.h"

#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include "base/limits.h"
#include "cache/cache_fixture.h"

namespace weir::cache::testing {
namespace {

using ImageTest = CacheTest;
constexpr size_t kMib = 1u << 20;

TEST_F(ImageTest, fills_in_any_order_and_completes) {
  TestContent wanted = content(1, 9 * kMib);
  auto image = cache_->open_image(wanted.id(), wanted.manifest).value();
  EXPECT_EQ(image->missing_chunks(), 3u);
  EXPECT_FALSE(image->has(2));
  ASSERT_TRUE(image->fill(2, wanted.chunk(2)));
  EXPECT_TRUE(image->has(2));
  EXPECT_FALSE(image->has(0));
  ASSERT_TRUE(image->fill(0, wanted.chunk(0)));
  ASSERT_TRUE(image->fill(0, wanted.chunk(0)));
  EXPECT_EQ(image->missing_chunks(), 1u);
  EXPECT_FALSE(image->complete());
  EXPECT_TRUE(std::filesystem::exists(layout_.partial_image(wanted.id())));
  ASSERT_TRUE(image->fill(1, wanted.chunk(1)));
  EXPECT_TRUE(image->complete());
  EXPECT_EQ(bytes_of(*image), wanted.bytes);
  EXPECT_TRUE(std::filesystem::exists(layout_.final_image(wanted.id())));
  EXPECT_FALSE(std::filesystem::exists(layout_.partial_image(wanted.id())));
}

TEST_F(ImageTest, reads_part_of_an_incomplete_image) {
  TestContent wanted = content(1, 9 * kMib);
  auto image = cache_->open_image(wanted.id(), wanted.manifest).value();
  ASSERT_TRUE(image->fill(1, wanted.chunk(1)));
  Bytes got(1000, '\0');
  ASSERT_TRUE(image->read(limits::kChunkBytes + 77, got));
  EXPECT_EQ(got, wanted.bytes.substr(limits::kChunkBytes + 77, 1000));
}

TEST_F(ImageTest, holes_are_always_there_and_take_no_space) {
  Bytes bytes = pattern(1, kMib) + Bytes(limits::kChunkBytes * 2, '\0');
  bytes.resize(limits::kChunkBytes * 3, '\0');
  TestContent wanted{bytes};
  auto image = cache_->open_image(wanted.id(), wanted.manifest).value();
  EXPECT_EQ(image->missing_chunks(), 1u);
  EXPECT_TRUE(image->has(1));
  ASSERT_TRUE(image->fill(0, wanted.chunk(0)));
  EXPECT_TRUE(image->complete());
  EXPECT_EQ(bytes_of(*image), bytes);
  EXPECT_LT(cache_->usage().image_bytes, 5 * kMib);
}

TEST_F(ImageTest, an_image_of_nothing_but_holes_is_complete_at_once) {
  TestContent wanted{Bytes(limits::kChunkBytes + 5, '\0')};
  auto image = cache_->open_image(wanted.id(), wanted.manifest).value();
  EXPECT_TRUE(image->complete());
  EXPECT_EQ(bytes_of(*image), wanted.bytes);
  EXPECT_EQ(cache_->present_chunks(wanted.id()), 0u);
}

TEST_F(ImageTest, there_is_one_object_a_content) {
  TestContent wanted = content(1, 5 * kMib);
  auto first = cache_->open_image(wanted.id(), wanted.manifest).value();
  auto second = cache_->open_image(wanted.id(), wanted.manifest).value();
  EXPECT_EQ(first.get(), second.get());
}

TEST_F(ImageTest, a_partial_image_keeps_its_chunks_when_closed_and_in_the_next_life) {
  TestContent wanted = content(1, 9 * kMib);
  auto image = cache_->open_image(wanted.id(), wanted.manifest).value();
  ASSERT_TRUE(image->fill(1, wanted.chunk(1)));
  image.reset();
  EXPECT_EQ(cache_->present_chunks(wanted.id()), 1u);
  reopen();
  EXPECT_EQ(cache_->present_chunks(wanted.id()), 1u);
  image = cache_->open_image(wanted.id(), wanted.manifest).value();
  EXPECT_TRUE(image->has(1));
  EXPECT_FALSE(image->has(0));
  filled(*cache_, wanted);
  EXPECT_EQ(bytes_of(*image), wanted.bytes);
}

TEST_F(ImageTest, an_image_nobody_filled_leaves_nothing_behind) {
  TestContent wanted = content(1, 9 * kMib);
  cache_->open_image(wanted.id(), wanted.manifest).value();
  EXPECT_EQ(cache_->present_chunks(wanted.id()), std::nullopt);
  EXPECT_FALSE(std::filesystem::exists(layout_.partial_image(wanted.id())));
  EXPECT_EQ(cache_->usage().images, 0u);
}

TEST_F(ImageTest, a_file_removed_behind_our_back_is_absent_not_an_error) {
  TestContent wanted = content(1, 5 * kMib);
  filled(*cache_, wanted);
  std::filesystem::remove(layout_.final_image(wanted.id()));
  auto image = cache_->open_image(wanted.id(), wanted.manifest).value();
  EXPECT_EQ(image->missing_chunks(), 2u);
}

TEST_F(ImageTest, a_file_of_the_wrong_size_is_dropped) {
  TestContent wanted = content(1, 5 * kMib);
  filled(*cache_, wanted);
  ASSERT_EQ(::truncate(layout_.final_image(wanted.id()).c_str(), 100), 0);
  auto image = cache_->open_image(wanted.id(), wanted.manifest).value();
  EXPECT_EQ(image->missing_chunks(), 2u);
}

TEST_F(ImageTest, chunks_are_found_in_any_image_that_has_them) {
  TestContent first = content(1, 9 * kMib);
  filled(*cache_, first);
  TestContent partial = content(2, 9 * kMib);
  auto image = cache_->open_image(partial.id(), partial.manifest).value();
  ASSERT_TRUE(image->fill(1, partial.chunk(1)));
  image.reset();
  Bytes chunk(limits::kChunkBytes, '\0');
  EXPECT_TRUE(cache_->read_chunk(first.manifest->chunks[1], chunk).value());
  EXPECT_EQ(chunk, first.chunk(1));
  EXPECT_TRUE(cache_->read_chunk(partial.manifest->chunks[1], chunk).value());
  EXPECT_EQ(chunk, partial.chunk(1));
  EXPECT_FALSE(cache_->read_chunk(partial.manifest->chunks[0], chunk).value());
}

TEST_F(ImageTest, a_chunk_of_an_evicted_image_is_found_in_another_one) {
  Bytes shared = pattern(7, limits::kChunkBytes);
  TestContent first{shared + pattern(1, kMib)};
  TestContent second{pattern(2, limits::kChunkBytes) + shared};
  filled(*cache_, first);
  filled(*cache_, second);
  ASSERT_TRUE(cache_->evict_image(first.id()));
  Bytes chunk(limits::kChunkBytes, '\0');
  EXPECT_TRUE(cache_->read_chunk(first.manifest->chunks[0], chunk).value());
  EXPECT_EQ(chunk, shared);
  ASSERT_TRUE(cache_->evict_image(second.id()));
  EXPECT_FALSE(cache_->read_chunk(first.manifest->chunks[0], chunk).value());
}

}  // namespace
}  // namespace weir::cache::testing
