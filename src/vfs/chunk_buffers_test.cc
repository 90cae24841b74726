#include "vfs/chunk_buffers.h"

#include <gtest/gtest.h>

#include <set>

#include "base/limits.h"

namespace weir::vfs {
namespace {

constexpr uint64_t kChunk = limits::kChunkBytes;

TEST(ChunkBuffersTest, memory_is_used_again) {
  ChunkBuffers buffers;
  const char* first = nullptr;
  {
    auto buffer = buffers.take(kChunk);
    EXPECT_EQ(buffer->size(), kChunk);
    first = buffer->data();
  }
  auto again = buffers.take(kChunk);
  EXPECT_EQ(again->data(), first);
  EXPECT_NE(buffers.take(kChunk)->data(), first);
}

TEST(ChunkBuffersTest, other_lengths_are_just_that_long) {
  ChunkBuffers buffers;
  EXPECT_EQ(buffers.take(0)->size(), 0u);
  EXPECT_EQ(buffers.take(kChunk - 1)->size(), kChunk - 1);
}

TEST(ChunkBuffersTest, what_was_used_since_the_last_trim_is_kept) {
  ChunkBuffers buffers;
  std::set<const char*> seen;
  const auto take_at_once = [&](size_t count) {
    std::vector<ChunkBuffers::Buffer> out;
    for (size_t i = 0; i < count; ++i) out.push_back(buffers.take(kChunk));
    std::set<const char*> places;
    for (const auto& buffer : out) places.insert(buffer->data());
    return places;
  };
  const auto four = take_at_once(4);
  buffers.trim();
  const auto two = take_at_once(2);  // two of the four were not needed
  for (const char* place : two) EXPECT_TRUE(four.contains(place));
  buffers.trim();
  buffers.trim();  // and nobody took any
  auto kept = buffers.take(kChunk);
  EXPECT_EQ(kept->size(), kChunk);
}

TEST(ChunkBuffersTest, a_buffer_outlives_the_pool) {
  ChunkBuffers::Buffer buffer;
  {
    ChunkBuffers buffers;
    buffer = buffers.take(kChunk);
  }
  (*buffer)[kChunk - 1] = 'x';
}

}  // namespace
}  // namespace weir::vfs
