// Bytes that changed on this node's disk before they were stored never become an object.
#include <gtest/gtest.h>

#include <filesystem>

#include "testing/volume_fixture.h"
#include "vfs/admin.h"

namespace weir::vfs {
namespace {

/// With a store that checks digests, and with one that does not.
class DamagedUploadTest : public ::testing::TestWithParam<bool> {
 protected:
  static testing::VolumeOptions options() {
    testing::VolumeOptions options;
    options.on_disk = !GetParam();
    return options;
  }
  /// Overwrites some bytes of every file of the cache that is as long as the content.
  int damage(uint64_t size) {
    int damaged = 0;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(volume_.cache_directory())) {
      if (!entry.is_regular_file() || entry.file_size() != size) continue;
      const FileDescriptor file = testing::TestVolume::must(io::open_file(entry.path(), O_RDWR));
      EXPECT_DONE(io::write_at(file.get(), "damage", 1000));
      ++damaged;
    }
    return damaged;
  }
  /// Waits for an upload that failed so.
  bool failed(const std::string& reason) {
    for (int i = 0; i < 2000; ++i) {
      if (status(volume_.fs()).upload.last_error.find(reason) != std::string::npos) return true;
      SystemClock().sleep_ms(5);
    }
    return false;
  }

  testing::TestVolume volume_{options()};
};

TEST_P(DamagedUploadTest, what_the_disk_changed_is_not_stored_under_the_name_of_what_was_written) {
  constexpr uint64_t kSize = 5'000'017;
  ASSERT_EQ(testing::TestVolume::must(volume_.store().checks_digests()), GetParam());
  volume_.store().set_down(true);
  ASSERT_TRUE(volume_.put("model", testing::pattern(1, kSize)));
  ASSERT_TRUE(failed("does not answer"));
  ASSERT_EQ(damage(kSize), 1);
  volume_.store().set_down(false);
  ASSERT_TRUE(failed("damaged"));
  // The second chunk is not damaged.
  EXPECT_LE(volume_.objects().size(), 1u);
  EXPECT_NE(vfs::drain_uploads(volume_.fs(), 100, {}), 0u);
}

INSTANTIATE_TEST_SUITE_P(Stores, DamagedUploadTest, ::testing::Bool());

}  // namespace
}  // namespace weir::vfs
