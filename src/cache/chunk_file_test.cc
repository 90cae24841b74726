#include "base/io.h"
#include "base/limits.h"
#include "cache/cache_fixture.h"

namespace weir::cache {
namespace {

using testing::content;
using testing::TestContent;

class ChunkFileTest : public testing::CacheTest {
 protected:
  /// What lies at the place that is said to have the chunk; empty if none is.
  Bytes bytes_at(const ChunkId& id, size_t length) {
    auto found = cache_->chunk_file(id).value();
    if (!found) return {};
    Bytes bytes(length, '\0');
    EXPECT_EQ(io::read_at(found->file.get(), bytes.data(), length, found->offset).value(), length);
    return bytes;
  }
};

TEST_F(ChunkFileTest, IsWhereTheChunkLiesOpenOrNot) {
  const TestContent some = content(1, limits::kChunkBytes + 100'000);
  auto image = testing::sealed(*cache_, some);
  EXPECT_EQ(bytes_at(some.manifest->chunks[1], 100'000), some.chunk(1));
  image.reset();
  EXPECT_EQ(bytes_at(some.manifest->chunks[0], limits::kChunkBytes), some.chunk(0));
}

TEST_F(ChunkFileTest, IsNoneForWhatIsNotHereOrNotAllHere) {
  const TestContent some = content(1, limits::kChunkBytes + 100'000);
  EXPECT_FALSE(cache_->chunk_file(some.manifest->chunks[0]).value());
  auto image = cache_->open_image(some.id(), some.manifest).value();
  ASSERT_TRUE(image->fill(1, some.chunk(1)));
  EXPECT_FALSE(cache_->chunk_file(some.manifest->chunks[0]).value());
}

TEST_F(ChunkFileTest, IsNoneOnceTheFileIsWritten) {
  const TestContent some = content(1, limits::kChunkBytes + 100'000);
  auto image = testing::sealed(*cache_, some);
  ASSERT_TRUE(image->lend(InodeId{5}));
  auto staging = cache_->begin_take_over(*image).value();
  ASSERT_TRUE(cache_->finish_take_over(*image));
  ASSERT_TRUE(staging->write(limits::kChunkBytes, std::string(1000, 'n')));
  // What is not stored was copied, and is found there.
  image.reset();
  EXPECT_TRUE(bytes_at(some.manifest->chunks[1], 100'000).empty() ||
              bytes_at(some.manifest->chunks[1], 100'000) == some.chunk(1));
  Bytes read(100'000, '\0');
  EXPECT_TRUE(cache_->read_chunk(some.manifest->chunks[1], std::span<char>(read.data(), read.size())).value());
  EXPECT_EQ(read, some.chunk(1));
}

}  // namespace
}  // namespace weir::cache
