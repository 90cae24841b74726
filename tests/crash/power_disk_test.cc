#include "power_disk.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <set>

#include "base/io.h"
#include "testing/temporary_directory.h"

namespace weir::testing {
namespace {

/// What a disk may hold after the same calls and a power cut, over many seeds.
class PowerDiskTest : public ::testing::Test {
 protected:
  using Work = std::function<void(const std::string& root)>;

  /// The content of file `name` after each cut; "absent" where there is none.
  std::set<std::string> outcomes(const Work& before, const Work& after, const std::string& name) {
    std::set<std::string> all;
    for (uint64_t seed = 1; seed <= 200; ++seed) {
      TemporaryDirectory directory;
      const std::string root = directory.file("disk");
      EXPECT_TRUE(io::make_directories(root));
      before(root);
      PowerDisk disk(root);
      after(root);
      disk.cut_now(seed, directory.file("image"));
      auto bytes = io::read_file(directory.file("image") + "/" + name);
      all.insert(bytes ? *bytes : "absent");
    }
    return all;
  }
  static void put(const std::string& path, std::string_view bytes, bool sync) {
    auto fd = io::open_file(path, O_RDWR | O_CREAT);
    ASSERT_TRUE(fd.has_value());
    ASSERT_TRUE(io::write_at(fd->get(), bytes, 0));
    if (!sync) return;
    EXPECT_TRUE(io::sync_data(fd->get(), path));
  }
  static constexpr auto nothing = [](const std::string&) {};
};

TEST_F(PowerDiskTest, a_synced_file_in_a_synced_directory_is_there) {
  auto found = outcomes(
      nothing,
      [](const std::string& root) {
        put(root + "/file", "content", true);
        ASSERT_TRUE(io::sync_directory(root));
      },
      "file");
  EXPECT_EQ(found, std::set<std::string>({"content"}));
}

TEST_F(PowerDiskTest, a_synced_file_may_lack_its_name) {
  auto found = outcomes(
      nothing, [](const std::string& root) { put(root + "/file", "content", true); }, "file");
  EXPECT_EQ(found, std::set<std::string>({"content", "absent"}));
}

TEST_F(PowerDiskTest, bytes_that_were_not_synced_are_there_or_zeros_or_missing) {
  auto found = outcomes(
      nothing,
      [](const std::string& root) {
        put(root + "/file", "content", false);
        ASSERT_TRUE(io::sync_directory(root));
      },
      "file");
  EXPECT_EQ(found, std::set<std::string>({"content", "", std::string(7, '\0')}));
}

TEST_F(PowerDiskTest, a_page_that_was_overwritten_is_old_or_new_or_torn) {
  const std::string old_page(4096, 'a'), new_page(4096, 'b');
  auto found = outcomes([&](const std::string& root) { put(root + "/file", old_page, true); },
                        [&](const std::string& root) { put(root + "/file", new_page, false); }, "file");
  EXPECT_TRUE(found.contains(old_page));
  EXPECT_TRUE(found.contains(new_page));
  EXPECT_GT(found.size(), 2u);
  for (const std::string& bytes : found)
    for (size_t sector = 0; sector < bytes.size(); sector += 512)
      EXPECT_EQ(bytes.substr(sector, 512), std::string(512, bytes[sector]));
}

TEST_F(PowerDiskTest, pages_reach_the_disk_in_any_order) {
  auto found = outcomes([](const std::string& root) { put(root + "/file", std::string(8192, 'a'), true); },
                        [](const std::string& root) { put(root + "/file", std::string(8192, 'b'), false); }, "file");
  std::set<std::string> ends;
  for (const std::string& bytes : found) ends.insert({bytes.front(), bytes.back()});
  EXPECT_EQ(ends, std::set<std::string>({"aa", "ab", "ba", "bb"}));
}

TEST_F(PowerDiskTest, a_rename_without_a_sync_is_done_or_not) {
  auto before = [](const std::string& root) {
    put(root + "/file", "old", true);
    put(root + "/other", "new", true);
  };
  auto found = outcomes(
      before,
      [](const std::string& root) { ASSERT_EQ(::rename((root + "/other").c_str(), (root + "/file").c_str()), 0); },
      "file");
  EXPECT_EQ(found, std::set<std::string>({"old", "new"}));
}

TEST_F(PowerDiskTest, a_removed_file_may_still_be_there) {
  auto found = outcomes([](const std::string& root) { put(root + "/file", "content", true); },
                        [](const std::string& root) { ASSERT_TRUE(io::remove_file(root + "/file")); }, "file");
  EXPECT_EQ(found, std::set<std::string>({"content", "absent"}));
}

TEST_F(PowerDiskTest, names_of_different_files_are_lost_in_any_order) {
  auto work = [](const std::string& root) {
    put(root + "/first", "1", true);
    put(root + "/second", "2", true);
  };
  std::set<std::string> both;
  for (uint64_t seed = 1; seed <= 200; ++seed) {
    TemporaryDirectory directory;
    const std::string root = directory.file("disk");
    ASSERT_TRUE(io::make_directories(root));
    PowerDisk disk(root);
    work(root);
    disk.cut_now(seed, directory.file("image"));
    std::string there;
    for (const auto& entry : std::filesystem::directory_iterator(directory.file("image")))
      there += entry.path().filename() == "first" ? "1" : "2";
    std::sort(there.begin(), there.end());
    both.insert(there);
  }
  EXPECT_EQ(both, std::set<std::string>({"", "1", "2", "12"}));
}

TEST_F(PowerDiskTest, a_synced_name_in_a_directory_whose_own_name_was_not_synced_may_be_lost) {
  auto found = outcomes(
      nothing,
      [](const std::string& root) {
        ASSERT_TRUE(io::make_directories(root + "/below"));
        put(root + "/below/file", "content", true);
        ASSERT_TRUE(io::sync_directory(root + "/below"));
      },
      "below/file");
  EXPECT_EQ(found, std::set<std::string>({"content", "absent"}));
}

TEST_F(PowerDiskTest, a_durable_write_is_old_or_new_and_whole) {
  const std::string old_bytes(5000, 'a'), new_bytes(9000, 'b');
  TemporaryDirectory directory;
  std::set<std::string> found;
  for (uint64_t call = 0; call < 10; ++call)
    for (uint64_t seed = 1; seed <= 20; ++seed) {
      TemporaryDirectory one;
      const std::string root = one.file("disk");
      ASSERT_TRUE(io::make_directories(root));
      ASSERT_TRUE(io::write_file_durably(root + "/file", old_bytes));
      PowerDisk disk(root);
      disk.cut_at(call, seed, one.file("image"));
      ASSERT_TRUE(io::write_file_durably(root + "/file", new_bytes));
      disk.cut_now(seed, one.file("image"));
      auto bytes = io::read_file(one.file("image/file"));
      ASSERT_TRUE(bytes.has_value());
      found.insert(*bytes);
    }
  EXPECT_EQ(found, std::set<std::string>({old_bytes, new_bytes}));
}

TEST_F(PowerDiskTest, calls_of_other_libraries_are_followed) {
  auto found = outcomes(
      nothing, [](const std::string& root) { std::filesystem::create_directory(root + "/made"); }, "made/x");
  EXPECT_EQ(found, std::set<std::string>({"absent"}));
  TemporaryDirectory directory;
  PowerDisk disk(directory.path());
  std::filesystem::create_directory(directory.file("made"));
  std::filesystem::remove(directory.file("made"));
  EXPECT_GE(disk.calls(), 2u);
}

}  // namespace
}  // namespace weir::testing
