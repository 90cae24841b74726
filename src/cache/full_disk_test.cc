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

  /// Somebody else takes all that is left, to the last page.
  void fill() {
    FileDescriptor other = io::open_file(disk_ + "/other", O_RDWR | O_CREAT).value();
    for (uint64_t size = io::file_size(other.get()).value(); io::write_at(other.get(), Bytes(4096, 'o'), size);)
      size += 4096;
  }
  void make_room() { std::filesystem::remove(disk_ + "/other"); }
  /// A database may be tried again only after a pause.
  static Status in_time(const std::function<Status()>& call) {
    Status done = call();
    for (int i = 0; i < 100 && !done; ++i, done = call()) ::usleep(50'000);
    return done;
  }
  size_t image_files() const {
    size_t files = 0;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(Layout(layout_path_).images()))
      files += entry.is_regular_file() ? 1 : 0;
    return files;
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
  // The disk counts what was freed when it likes.
  EXPECT_TRUE(in_time([&] { return image_->fill(0, wanted.chunk(0)); }));
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

TEST_F(FullDiskTest, an_image_whose_eviction_the_index_has_no_room_for_can_be_opened_again) {
  std::vector<TestContent> contents;
  for (uint64_t i = 0; i < 200; ++i) filled(*cache_, contents.emplace_back(content(i, 70'000)));
  for (const TestContent& evicted : contents) {
    fill();
    EXPECT_TRUE(cache_->evict_image(evicted.id()));
  }
  EXPECT_EQ(image_files(), 0u);
  EXPECT_EQ(cache_->usage().images, 0u);
  make_room();
  for (const TestContent& again : contents) {
    ASSERT_TRUE(in_time([&]() -> Status {
      TRY(cache_->open_image(again.id(), again.manifest));
      return {};
    }));
    EXPECT_FALSE(cache_->open_image(again.id(), again.manifest).value()->complete());
  }
}

TEST_F(FullDiskTest, a_stored_image_that_the_index_had_no_room_for_is_no_stray_file_of_the_next_life) {
  std::vector<std::unique_ptr<Staging>> staged;
  bool refused = false;
  // How much the databases still write into what they have of the disk is theirs to decide.
  for (uint64_t round = 0; round < 10 && !refused; ++round) {
    make_room();
    std::vector<TestContent> contents;
    staged.clear();
    for (uint64_t i = 0; i < 100; ++i) {
      contents.push_back(content(100 * round + i, 70'000));
      staged.push_back(cache_->new_staging().value());
      ASSERT_TRUE(in_time([&] { return staged.back()->write(0, contents.back().bytes); }));
    }
    fill();
    for (size_t i = 0; i < contents.size(); ++i)
      (void)cache_->seal(staged[i], contents[i].manifest, {true});  // until one of the databases refuses
    for (const Unstored& record : cache_->unstored(0, 1000)) refused |= !cache_->mark_stored(record);
  }
  if (!refused) GTEST_SKIP() << "the databases found room for all records in each of ten rounds";
  make_room();
  for (const Unstored& record : cache_->unstored(0, 1000))
    EXPECT_TRUE(in_time([&] { return cache_->mark_stored(record); }));
  staged.clear();
  reopen();
  std::vector<std::string> problems;
  EXPECT_TRUE(cache_->check(false, [&](const CacheProblem& problem) { problems.push_back(problem.what); }));
  EXPECT_EQ(problems, std::vector<std::string>());
  EXPECT_EQ(cache_->usage().images, image_files());
}

TEST_F(FullDiskTest, what_is_in_the_journal_is_synced_although_a_later_write_met_a_full_disk) {
  Bytes bytes = pattern(1, 50'000);
  ASSERT_TRUE(cache_->put_small_unstored(chunk_id_of(bytes), bytes));
  auto staging = cache_->new_staging().value();
  fill();
  Status refused;
  for (int i = 0; i < 2000 && refused; ++i) refused = staging->save_record(Bytes(2000, 'x'));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kNoSpace);
  EXPECT_TRUE(cache_->sync_journal());
  EXPECT_TRUE(cache_->barrier());
  make_room();
  staging.reset();
  reopen_after_power_loss();
  EXPECT_EQ(cache_->get_small(chunk_id_of(bytes)).value(), bytes);
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
