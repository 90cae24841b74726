#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include "base/io.h"
#include "cache/cache_fixture.h"

namespace weir::cache::testing {
namespace {

constexpr size_t kMib = 1u << 20;

class TakeOverTest : public CacheTest {
 protected:
  std::shared_ptr<Image> sealed(const TestContent& wanted) {
    auto staging = cache_->new_staging().value();
    EXPECT_TRUE(staging->write(0, wanted.bytes));
    return cache_->seal(staging, wanted.manifest, std::vector<bool>(wanted.manifest->chunks.size(), true)).value();
  }
  std::unique_ptr<Staging> taken_over(Image& image) {
    auto staging = cache_->begin_take_over(image).value();
    EXPECT_FALSE(image.taken());
    EXPECT_TRUE(staging->is_image_still());
    EXPECT_TRUE(cache_->finish_take_over(image));
    EXPECT_FALSE(staging->is_image_still());
    return staging;
  }
  void store_everything() {
    for (const Unstored& record : cache_->unstored(0, 100)) ASSERT_TRUE(cache_->mark_stored(record));
  }
  /// The bytes of every chunk, wherever they lie.
  void expect_chunks(const TestContent& wanted, bool here) {
    for (uint64_t i = 0; i < wanted.manifest->chunks.size(); ++i) {
      Bytes bytes(wanted.chunk(i).size(), '\0');
      auto found = cache_->read_chunk(wanted.manifest->chunks[i], std::span<char>(bytes.data(), bytes.size()));
      ASSERT_TRUE(found) << found.error().what;
      EXPECT_EQ(*found, here) << "chunk " << i;
      if (*found) {
        EXPECT_EQ(bytes, wanted.chunk(i));
      }
    }
  }
  static Bytes through(int fd, size_t count) {
    Bytes bytes(count, '\0');
    EXPECT_EQ(::pread(fd, bytes.data(), count, 0), static_cast<ssize_t>(count));
    return bytes;
  }
};

TEST_F(TakeOverTest, who_has_the_file_open_sees_what_is_written) {
  TestContent wanted = content(1, 5 * kMib);
  auto image = sealed(wanted);
  store_everything();
  const int kernel = ::dup(image->fd());
  auto staging = taken_over(*image);
  EXPECT_TRUE(image->taken());
  Bytes got(10, '\0');
  EXPECT_EQ(image->read(0, got).error().code, Code::kStale);
  ASSERT_TRUE(staging->write(0, "changed"));
  EXPECT_EQ(through(kernel, 7), "changed");
  ::close(kernel);
}

TEST_F(TakeOverTest, stored_content_leaves_the_cache) {
  TestContent wanted = content(1, 5 * kMib);
  auto image = sealed(wanted);
  store_everything();
  auto staging = taken_over(*image);
  expect_chunks(wanted, false);
  auto again = cache_->open_image(wanted.id(), wanted.manifest).value();
  EXPECT_NE(again.get(), image.get());
  EXPECT_FALSE(again->complete());
  ASSERT_TRUE(again->fill(0, wanted.chunk(0)));
  image.reset();
  EXPECT_TRUE(again->has(0));
}

TEST_F(TakeOverTest, what_is_not_stored_stays_safe_whatever_is_written) {
  TestContent wanted = content(1, 9 * kMib);
  auto image = sealed(wanted);
  auto staging = taken_over(*image);
  ASSERT_TRUE(staging->write(0, Bytes(9 * kMib, 'x')));
  expect_chunks(wanted, true);
  image.reset();
  staging.reset();
  reopen();
  expect_chunks(wanted, true);
  reopen_after_power_loss();
  expect_chunks(wanted, true);
  EXPECT_TRUE(lost_.empty());
  EXPECT_EQ(cache_->unstored(0, 100).size(), 1u);
}

TEST_F(TakeOverTest, a_crash_before_the_copy_has_its_place_loses_nothing) {
  TestContent wanted = content(1, 5 * kMib);
  auto image = sealed(wanted);
  auto staging = taken_over(*image);
  const std::string copy = layout_.staging(staging->id() + 1);
  image.reset();
  staging.reset();
  cache_.reset();
  // As a daemon that died between journal and rename leaves it: the copy is a staging file that the journal names.
  std::filesystem::rename(layout_.partial_image(wanted.id()), copy);
  open();
  expect_chunks(wanted, true);
  EXPECT_TRUE(std::filesystem::exists(layout_.partial_image(wanted.id())));
}

TEST_F(TakeOverTest, what_was_only_begun_leaves_the_image_as_it_was) {
  TestContent wanted = content(1, 5 * kMib);
  auto image = sealed(wanted);
  cache_->begin_take_over(*image).value().reset();
  EXPECT_FALSE(image->taken());
  EXPECT_TRUE(image->complete());
  expect_chunks(wanted, true);
  // As a daemon that died in between leaves it.
  auto staging = cache_->begin_take_over(*image).value();
  ASSERT_TRUE(staging->save_handover("noted"));
  staging->keep();
  staging.reset();
  image.reset();
  reopen();
  auto recovered = cache_->take_recovered();
  ASSERT_EQ(recovered.size(), 1u);
  EXPECT_TRUE(recovered[0].staging->is_image_still());
  recovered.clear();
  image = cache_->open_image(wanted.id(), wanted.manifest).value();
  EXPECT_TRUE(image->complete());
  expect_chunks(wanted, true);
  EXPECT_TRUE(cache_->take_recovered().empty());
  EXPECT_FALSE(taken_over(*image)->is_image_still());
}

TEST_F(TakeOverTest, the_file_that_comes_back_is_the_image) {
  TestContent wanted = content(1, 5 * kMib), changed = content(2, 5 * kMib);
  auto image = sealed(wanted);
  store_everything();
  auto staging = taken_over(*image);
  image.reset();
  ASSERT_TRUE(staging->write(0, changed.bytes));
  // Published by a copy, which is what is recorded as unstored.
  sealed(changed);
  store_everything();
  ASSERT_TRUE(cache_->evict_image(changed.id()));
  ASSERT_TRUE(cache_->give_back(staging, changed.manifest, InodeId{7}));
  auto back = cache_->open_image(changed.id(), changed.manifest).value();
  EXPECT_TRUE(back->complete());
  EXPECT_TRUE(std::filesystem::exists(layout_.final_image(changed.id())));
  expect_chunks(changed, true);
  EXPECT_TRUE(cache_->unstored(0, 100).empty());
  back.reset();
  reopen_after_power_loss();
  expect_chunks(changed, true);
  ASSERT_TRUE(cache_->evict_image(changed.id()));
}

TEST_F(TakeOverTest, a_lent_file_is_one_inodes) {
  auto image = sealed(content(1, 5 * kMib));
  EXPECT_TRUE(image->lend(InodeId{7}));
  EXPECT_TRUE(image->lend(InodeId{7}));
  EXPECT_FALSE(image->lend(InodeId{8}));
  image->give_back(InodeId{8});
  EXPECT_FALSE(image->lend(InodeId{8}));
  image->give_back(InodeId{7});
  EXPECT_TRUE(image->lend(InodeId{8}));
}

TEST_F(TakeOverTest, a_mapping_that_is_left_keeps_the_file_its_inodes) {
  TestContent wanted = content(1, 5 * kMib);
  auto image = sealed(wanted);
  store_everything();
  EXPECT_FALSE(image->is_shown_to(InodeId{7}));
  ASSERT_TRUE(image->lend(InodeId{7}));
  const std::string path = fmt::format("/proc/self/fd/{}", image->fd());
  const int kernel = ::open(path.c_str(), O_RDONLY);
  image->give_back(InodeId{7});
  EXPECT_TRUE(image->is_shown_to(InodeId{7}));
  EXPECT_FALSE(image->is_shown_to(InodeId{8}));
  EXPECT_FALSE(image->lend(InodeId{8}));
  image.reset();
  EXPECT_EQ(cache_->evict_image(wanted.id()).error().code, Code::kBusy);
  EXPECT_EQ(cache_->evict_to(0), 0u);
  ::close(kernel);
  image = cache_->open_image(wanted.id(), wanted.manifest).value();
  EXPECT_FALSE(image->is_shown_to(InodeId{7}));
  EXPECT_TRUE(image->lend(InodeId{8}));
  image->give_back(InodeId{8});
  image.reset();
  EXPECT_TRUE(cache_->evict_image(wanted.id()));
}

TEST_F(TakeOverTest, a_writable_mapping_is_found_out) {
  auto staging = cache_->new_staging().value();
  ASSERT_TRUE(staging->write(0, "x"));
  EXPECT_TRUE(staging->has_no_other_writer());
  const int other = ::open(fmt::format("/proc/self/fd/{}", staging->fd()).c_str(), O_RDWR);
  ASSERT_GE(other, 0);
  EXPECT_FALSE(staging->has_no_other_writer());
  ::close(other);
  EXPECT_TRUE(staging->has_no_other_writer());
  ASSERT_TRUE(staging->write(1, "y"));
}

}  // namespace
}  // namespace weir::cache::testing
