// Drafts that write the file which the kernel shows to readers.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>

#include "base/fault_point.h"
#include "testing/fake_backing_files.h"
#include "testing/volume_fixture.h"

namespace weir::vfs {
namespace {

using testing::FakeBackingFiles;
using testing::pattern;
using testing::TestVolume;
using testing::VolumeOptions;

constexpr size_t kSize = (4u << 20) + 12'345;

VolumeOptions with_memory() {
  VolumeOptions options;
  options.filesystem.memory =
      TestVolume::must(SharedMemory::create({.requests = 4, .handles = 64, .contents = 8, .drafts = 16, .locks = 16}));
  return options;
}

class LiveDraftTest : public ::testing::TestWithParam<std::string> {
 protected:
  static void die_at_point(const char* point) {
    LiveDraftTest* dying = dying_;
    // Uploads pass points too, on threads of their own.
    if (dying != nullptr && point == dying->GetParam() && dying_.compare_exchange_strong(dying, nullptr))
      dying->volume_.note_death();
  }
  void SetUp() override { volume_.fs().connect({.backing_files = &kernel_}); }
  void TearDown() override { fault_hook = nullptr; }

  inline static std::atomic<LiveDraftTest*> dying_ = nullptr;
  FakeBackingFiles kernel_;
  TestVolume volume_{with_memory()};
};

TEST_P(LiveDraftTest, a_reader_sees_what_is_written_although_the_daemon_died_while_it_took_the_file_over) {
  for (bool stored : {false, true}) {
    SCOPED_TRACE(stored ? "stored" : "not stored");
    Bytes content = pattern(stored ? 2 : 1, kSize);
    const std::string name = stored ? "stored" : "file";
    EXPECT_DONE(volume_.put(name, content));
    EXPECT_DONE(volume_.put(name + " again", content));
    if (stored) volume_.drain();
    const HandleId reader = volume_.open(name, O_RDONLY);
    const HandleId writer = volume_.open(name, O_WRONLY);
    const ino_t shown = kernel_.newest_attributes().st_ino;
    dying_ = this;
    fault_hook = die_at_point;
    EXPECT_DONE(volume_.write(writer, 5, "changed"));
    fault_hook = nullptr;
    ASSERT_EQ(dying_.load(), nullptr) << "the point was not passed";

    const int file = volume_.file_after_death(shown);
    ASSERT_GE(file, 0);
    volume_.kill_and_resume();
    volume_.fs().connect({.backing_files = &kernel_});
    // The kernel had no answer, so it asks again.
    EXPECT_DONE(volume_.write(writer, 5, "changed"));
    Bytes seen(7, '\0');
    EXPECT_EQ(::pread(file, seen.data(), seen.size(), 5), 7);
    EXPECT_EQ(seen, "changed");
    ::close(file);
    EXPECT_DONE(volume_.close(writer));
    volume_.release(reader);
    EXPECT_EQ(volume_.get(name + " again").value(), content);
    content.replace(5, 7, "changed");
    EXPECT_EQ(volume_.get(name).value(), content);
    volume_.drain_and_evict();
    EXPECT_EQ(volume_.get(name).value(), content);
    EXPECT_TRUE(volume_.lost().empty());
    EXPECT_TRUE(vfs::status(volume_.fs()).reports.empty());
  }
}

INSTANTIATE_TEST_SUITE_P(Points, LiveDraftTest, ::testing::Values("take.image.before", "take.image.after"),
                         [](const auto& point) { return point.param.substr(point.param.rfind('.') + 1); });

/// A cache on a disk that somebody else fills.
class FullDiskDraftTest : public ::testing::Test {
 protected:
  void SetUp() override {
    const std::string disk = temporary_.file("disk");
    std::filesystem::create_directory(disk);
    disk_ = std::make_unique<testing::SmallDisk>(disk, 64u << 20);
    if (!disk_->mounted()) GTEST_SKIP() << "mounting a disk needs root";
    VolumeOptions options = with_memory();
    options.directory = disk;
    options.filesystem.upload = false;
    volume_ = std::make_unique<TestVolume>(std::move(options));
    volume_->fs().connect({.backing_files = &kernel_});
    filler_ = disk + "/filler";
  }
  void fill() {
    FileDescriptor file = TestVolume::must(io::open_file(filler_, O_RDWR | O_CREAT));
    for (uint64_t size = 0; io::write_at(file.get(), Bytes(4096, 'x'), size); size += 4096) continue;
  }
  uint64_t size_shown() const { return static_cast<uint64_t>(kernel_.newest_attributes().st_size); }
  void make_room() { std::filesystem::remove(filler_); }
  /// The database may be tried again only after a pause.
  template <class Call>
  Status in_time(Call call) {
    Status done = call();
    for (int i = 0; i < 100 && !done; ++i, done = call()) ::usleep(50'000);
    return done;
  }

  testing::TemporaryDirectory temporary_;
  std::unique_ptr<testing::SmallDisk> disk_;
  FakeBackingFiles kernel_;
  std::unique_ptr<TestVolume> volume_;
  std::string filler_;
};

TEST_F(FullDiskDraftTest, a_truncation_that_was_refused_has_not_happened_and_is_seen_by_readers_when_it_has) {
  EXPECT_DONE(volume_->put("file", pattern(1, 300'000)));
  const HandleId reader = volume_->open("file", O_RDONLY);
  const HandleId writer = volume_->open("file", O_WRONLY);
  EXPECT_DONE(volume_->write(writer, 0, "changed"));
  fill();
  uint64_t size = 300'000;
  Status refused;
  // The log of the journal has some room of its own.
  for (; refused && size > 290'000; size -= refused ? 1 : 0) refused = volume_->truncate("file", size - 1);
  EXPECT_FAILS(Code::kNoSpace, refused);
  EXPECT_EQ(volume_->stat("file").size, size);
  EXPECT_EQ(size_shown(), size);
  make_room();
  EXPECT_DONE(in_time([&] { return volume_->truncate("file", size - 1); }));
  EXPECT_EQ(volume_->stat("file").size, size - 1);
  EXPECT_EQ(size_shown(), size - 1);
  EXPECT_DONE(volume_->close(writer));
  volume_->release(reader);
  Bytes content = pattern(1, 300'000).substr(0, size - 1);
  content.replace(0, 7, "changed");
  EXPECT_EQ(volume_->get("file").value(), content);
}

TEST_F(FullDiskDraftTest, what_was_refused_is_not_there_twice_when_it_is_appended_again) {
  const HandleId writer = volume_->create("file");
  Bytes content = pattern(1, 70'000);
  EXPECT_DONE(volume_->write(writer, 0, content));
  EXPECT_DONE(volume_->flush(writer));
  fill();
  // Each begins a draft anew, which must be noted.
  size_t refused = 0;
  for (uint64_t i = 0; i < 2000 && refused == 0; ++i) {
    if (!volume_->write(writer, content.size(), "appended")) {
      ++refused;
    } else {
      content += "appended";
      (void)volume_->flush(writer);
    }
    EXPECT_EQ(volume_->stat("file").size, content.size());
  }
  EXPECT_EQ(refused, 1u) << "the disk was not full";
  make_room();
  EXPECT_DONE(in_time([&] { return volume_->write(writer, content.size(), "appended"); }));
  content += "appended";
  EXPECT_DONE(volume_->close(writer));
  EXPECT_EQ(volume_->get("file").value(), content);
}

TEST_F(FullDiskDraftTest, renaming_over_a_file_needs_no_room_for_what_was_closed_before) {
  EXPECT_DONE(volume_->put("old", pattern(1, 70'000)));
  EXPECT_DONE(volume_->put("new", pattern(2, 50'000)));
  fill();
  Status refused;
  for (uint64_t i = 0; i < 2000 && refused; ++i) refused = volume_->put("other", pattern(i, 5'000));
  EXPECT_FAILS(Code::kNoSpace, refused);
  EXPECT_DONE(volume_->rename("new", "old"));
  EXPECT_EQ(volume_->get("old").value(), pattern(2, 50'000));
  make_room();
}

// The daemon ended whenever it was to publish the file, and so did its successors.
TEST_F(FullDiskDraftTest, a_refused_append_behind_a_whole_chunk_leaves_the_chunk_as_it_was) {
  Bytes content = pattern(5, limits::kChunkBytes);
  EXPECT_DONE(volume_->put("file", content));
  const HandleId writer = volume_->open("file", O_WRONLY);
  fill();
  EXPECT_FAILS(Code::kNoSpace, volume_->write(writer, limits::kChunkBytes, pattern(6, 1u << 20)));
  EXPECT_EQ(volume_->stat("file").size, content.size());
  make_room();
  EXPECT_TRUE(in_time([&] { return volume_->flush(writer); }));
  EXPECT_EQ(volume_->get("file").value(), content);
  EXPECT_TRUE(in_time([&] { return volume_->write(writer, limits::kChunkBytes, "more"); }));
  EXPECT_TRUE(in_time([&] { return volume_->close(writer); }));
  content += "more";
  EXPECT_EQ(volume_->get("file").value(), content);
}

}  // namespace
}  // namespace weir::vfs
