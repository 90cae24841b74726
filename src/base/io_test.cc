#include "base/io.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>

#include "base/sync_files.h"
#include "testing/temporary_directory.h"

namespace weir {
namespace {

namespace fs = std::filesystem;

class IoTest : public ::testing::Test {
 protected:
  size_t entries() const {
    return static_cast<size_t>(std::distance(fs::directory_iterator(directory_.path()), fs::directory_iterator()));
  }

  testing::TemporaryDirectory directory_;
  std::string path_ = directory_.file("file");
};

TEST_F(IoTest, NamesThePathThatDoesNotOpen) {
  auto opened = io::open_file(path_, O_RDONLY);
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, Code::kNotFound);
  EXPECT_EQ(opened.error().what, "open " + path_ + ": No such file or directory");
}

TEST_F(IoTest, OpensSoThatChildrenDoNotInherit) {
  auto fd = io::open_file(path_, O_RDWR | O_CREAT).value();
  EXPECT_TRUE(::fcntl(fd.get(), F_GETFD) & FD_CLOEXEC);
}

TEST_F(IoTest, WritesAndReadsAtOffsets) {
  auto fd = io::open_file(path_, O_RDWR | O_CREAT).value();
  ASSERT_TRUE(io::write_at(fd.get(), "world", 6));
  ASSERT_TRUE(io::write_at(fd.get(), "hello ", 0));
  char buffer[100];
  EXPECT_EQ(io::read_at(fd.get(), buffer, 5, 6).value(), 5u);
  EXPECT_EQ(std::string_view(buffer, 5), "world");
  EXPECT_EQ(io::read_at(fd.get(), buffer, sizeof buffer, 0).value(), 11u) << "short only at the end";
  EXPECT_EQ(io::read_at(fd.get(), buffer, sizeof buffer, 50).value(), 0u);
  EXPECT_EQ(io::file_size(fd.get()).value(), 11u);
  EXPECT_EQ(io::read_file(path_).value(), "hello world");
}

TEST_F(IoTest, ReportsADescriptorThatCannot) {
  auto fd = io::open_file(path_, O_WRONLY | O_CREAT).value();
  char buffer[1];
  EXPECT_EQ(io::read_at(fd.get(), buffer, 1, 0).error().code, Code::kBadHandle);
}

TEST_F(IoTest, ReplacesAFileWholeAndLeavesNoOther) {
  ASSERT_TRUE(io::write_file_durably(path_, "old content", 0640));
  ASSERT_TRUE(io::write_file_durably(path_, "new", 0600));
  EXPECT_EQ(io::read_file(path_).value(), "new");
  struct stat attributes {};
  ASSERT_EQ(::stat(path_.c_str(), &attributes), 0);
  EXPECT_EQ(attributes.st_mode & 0777, 0600u);
  EXPECT_EQ(entries(), 1u);
}

TEST_F(IoTest, KeepsTheOldFileWhenReplacingFails) {
  fs::create_directory(path_);
  EXPECT_FALSE(io::write_file_durably(path_, "x")) << "a directory is in the way";
  EXPECT_EQ(entries(), 1u);
  EXPECT_EQ(io::write_file_durably(directory_.file("absent/file"), "x").error().code, Code::kNotFound);
}

TEST_F(IoTest, KeepsTheOldFileWhenTheDiskIsFull) {
  testing::SmallDisk disk(directory_.path(), 64 << 10);
  if (!disk.mounted()) GTEST_SKIP() << "needs root, to mount a small disk";
  ASSERT_TRUE(io::write_file_durably(path_, "old"));
  Status written = io::write_file_durably(path_, std::string(1 << 20, 'x'));
  ASSERT_FALSE(written);
  EXPECT_EQ(written.error().code, Code::kNoSpace);
  EXPECT_EQ(io::read_file(path_).value(), "old");
  EXPECT_EQ(entries(), 1u);
}

TEST_F(IoTest, MakesDirectoriesAndTheirParents) {
  std::string deep = directory_.file("a/b/c");
  ASSERT_TRUE(io::make_directories(deep));
  ASSERT_TRUE(io::make_directories(deep)) << "again is fine";
  EXPECT_TRUE(fs::is_directory(deep));
  ASSERT_TRUE(io::write_file_durably(path_, "x"));
  EXPECT_EQ(io::make_directories(path_).error().code, Code::kNotDirectory);
  EXPECT_EQ(io::make_directories(path_ + "/below").error().code, Code::kNotDirectory);
}

TEST_F(IoTest, ReadsFilesThatSayTheyAreEmpty) {
  EXPECT_GT(io::read_file("/proc/self/status").value().size(), 100u);
  ASSERT_TRUE(io::write_file_durably(path_, std::string(4095, 'x')));
  EXPECT_EQ(io::read_file(path_)->size(), 4095u);
}

TEST_F(IoTest, RemovesAndForgivesAbsence) {
  ASSERT_TRUE(io::write_file_durably(path_, "x"));
  EXPECT_TRUE(io::remove_file(path_));
  EXPECT_TRUE(io::remove_file(path_));
  EXPECT_FALSE(fs::exists(path_));
}

TEST_F(IoTest, SyncsDirectories) {
  EXPECT_TRUE(io::sync_directory(directory_.path()));
  EXPECT_EQ(io::sync_directory(path_).error().code, Code::kNotFound);
  EXPECT_TRUE(io::sync_files(directory_.path(), ".log"));
  EXPECT_EQ(io::sync_files(path_, ".log").error().code, Code::kNotFound);
}

}  // namespace
}  // namespace weir
