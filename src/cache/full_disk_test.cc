#include <fcntl.h>
#include <sys/mount.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <thread>

#include "base/io.h"
#include "base/limits.h"
#include "cache/cache_fixture.h"

namespace weir::cache::testing {
namespace {

constexpr size_t kMib = 1u << 20;

/// A cache on an ext4 disk of 96 MiB of its own, in a file.
class FullDiskTest : public CacheTest {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "mounting a disk needs root";
    const std::string file = directory_.file("disk.img");
    FileDescriptor fd = io::open_file(file, O_RDWR | O_CREAT).value();
    ASSERT_EQ(::ftruncate(fd.get(), 96 * kMib), 0);
    disk_ = directory_.file("disk");
    ASSERT_TRUE(io::make_directories(disk_));
    if (::system(("mkfs.ext4 -q -F -m 0 " + file + " && mount -o loop " + file + " " + disk_).c_str()) != 0)
      GTEST_SKIP() << "there is no loop device to mount";
    options_.directory = disk_ + "/cache";
    options_.reserve_bytes = 16 * kMib;
    layout_path_ = options_.directory;
    open();
  }
  void TearDown() override {
    image_.reset();
    cache_.reset();
    if (!disk_.empty()) ::umount2(disk_.c_str(), MNT_DETACH);
  }
  uint64_t free_bytes() const {
    struct statvfs disk {};
    ::statvfs(disk_.c_str(), &disk);
    return disk.f_bavail * disk.f_frsize;
  }
  /// Writes until it is refused.
  Status write_until_refused(Staging& staging, uint64_t& size) {
    const Bytes bytes = pattern(size, kMib);
    for (size = 0; size < 500 * kMib; size += bytes.size()) TRY(staging.write(size, bytes));
    return {};
  }

  std::string disk_;
  std::string layout_path_;
  std::shared_ptr<Image> image_;
};

TEST_F(FullDiskTest, a_writer_gets_no_space_and_the_reserve_stays_free) {
  auto staging = cache_->new_staging().value();
  uint64_t size = 0;
  Status refused = write_until_refused(*staging, size);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kNoSpace);
  EXPECT_GE(size, 20 * kMib);
  EXPECT_GE(free_bytes(), 15 * kMib);
  // Others go on: small content is refused in the same way, reads and seals work.
  Bytes got(kMib, '\0');
  EXPECT_TRUE(staging->read(0, got));
  EXPECT_FALSE(staging->write(size, Bytes(kMib, 'x')));
  staging.reset();
  staging = cache_->new_staging().value();
  EXPECT_TRUE(staging->write(0, Bytes(kMib, 'x')));
}

TEST_F(FullDiskTest, stored_content_makes_room_for_a_writer) {
  for (uint64_t i = 0; i < 20; ++i) filled(*cache_, content(i, 2 * kMib));
  auto staging = cache_->new_staging().value();
  uint64_t size = 0;
  EXPECT_EQ(write_until_refused(*staging, size).error().code, Code::kNoSpace);
  EXPECT_GE(size, 30 * kMib);
  EXPECT_EQ(cache_->usage().images, 0u);
  EXPECT_GE(free_bytes(), 15 * kMib);
}

TEST_F(FullDiskTest, unstored_content_is_kept_and_read_when_the_disk_is_full) {
  TestContent written = content(1, 9 * kMib);
  sealed(*cache_, written);
  Bytes small = pattern(2, 50'000);
  ASSERT_TRUE(cache_->put_small_unstored(chunk_id_of(small), small));
  auto staging = cache_->new_staging().value();
  uint64_t size = 0;
  EXPECT_FALSE(write_until_refused(*staging, size));
  EXPECT_EQ(bytes_of(*cache_->open_image(written.id(), written.manifest).value()), written.bytes);
  EXPECT_EQ(cache_->get_small(chunk_id_of(small)).value(), small);
  EXPECT_EQ(cache_->unstored(0, 10).size(), 2u);
  store_all(*cache_);
  EXPECT_TRUE(cache_->unstored(0, 10).empty());
}

TEST_F(FullDiskTest, a_fill_without_room_leaves_the_image_as_it_was) {
  auto staging = cache_->new_staging().value();
  uint64_t size = 0;
  EXPECT_FALSE(write_until_refused(*staging, size));
  TestContent wanted = content(1, 9 * kMib);
  image_ = cache_->open_image(wanted.id(), wanted.manifest).value();
  Status refused = image_->fill(0, wanted.chunk(0));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kNoSpace);
  EXPECT_FALSE(image_->has(0));
  EXPECT_EQ(image_->missing_chunks(), 3u);
  staging.reset();
  EXPECT_TRUE(image_->fill(0, wanted.chunk(0)));
  EXPECT_TRUE(image_->has(0));
}

TEST_F(FullDiskTest, small_contents_make_room_for_a_writer) {
  size_t put = 0;
  for (; put < 2000; ++put) {
    Bytes bytes = pattern(put, 60'000);
    if (!cache_->put_small(chunk_id_of(bytes), bytes)) break;
    if (cache_->usage().evicted_bytes > 0) break;
  }
  EXPECT_GE(put, 300u);
  auto staging = cache_->new_staging().value();
  uint64_t size = 0;
  EXPECT_FALSE(write_until_refused(*staging, size));
  EXPECT_GE(size, 15 * kMib);
  EXPECT_GE(free_bytes(), 10 * kMib);
}

TEST_F(FullDiskTest, somebody_elses_bytes_count_too) {
  FileDescriptor other = io::open_file(disk_ + "/other", O_RDWR | O_CREAT).value();
  auto staging = cache_->new_staging().value();
  ASSERT_TRUE(staging->write(0, Bytes(kMib, 'x')));
  const std::string block(kMib, 'o');
  for (uint64_t offset = 0; io::write_at(other.get(), block, offset); offset += kMib) continue;
  Status refused;
  for (uint64_t offset = 0; refused && offset < 100 * kMib; offset += kMib) refused = staging->write(offset, block);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kNoSpace);
  ASSERT_EQ(::ftruncate(other.get(), 0), 0);
  EXPECT_TRUE(staging->write(0, Bytes(kMib, 'x')));
  Bytes small = pattern(2, 50'000);
  EXPECT_TRUE(cache_->put_small_unstored(chunk_id_of(small), small));
}

TEST_F(FullDiskTest, the_cache_opens_again_with_its_disk_at_the_reserve) {
  TestContent written = content(1, 9 * kMib);
  sealed(*cache_, written);
  auto staging = cache_->new_staging().value();
  ASSERT_TRUE(staging->save_record("record"));
  uint64_t size = 0;
  EXPECT_FALSE(write_until_refused(*staging, size));
  staging->keep();
  staging.reset();
  reopen();
  EXPECT_EQ(bytes_of(*cache_->open_image(written.id(), written.manifest).value()), written.bytes);
  EXPECT_EQ(cache_->take_recovered().size(), 1u);
}

}  // namespace
}  // namespace weir::cache::testing
