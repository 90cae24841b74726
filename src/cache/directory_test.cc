#include "cache/directory.h"

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/io.h"
#include "cache/cache_fixture.h"
#include "testing/own_process.h"

namespace weir::cache::testing {
namespace {

class DirectoryTest : public CacheTest {
 protected:
  Error refusal() {
    auto opened = Cache::open(options_, clock_, {});
    return opened ? Error{} : opened.error();
  }
  void expect_refusal(Code code, std::initializer_list<std::string> words) {
    Error refused = refusal();
    EXPECT_EQ(refused.code, code) << refused.what;
    EXPECT_NE(refused.what.find(options_.directory), std::string::npos) << refused.what;
    for (const std::string& word : words) EXPECT_NE(refused.what.find(word), std::string::npos) << refused.what;
    EXPECT_EQ(refused.what.find('\n'), std::string::npos);
  }
};

TEST_F(DirectoryTest, is_made_for_its_owner_only) {
  struct stat attributes {};
  ASSERT_EQ(::stat(options_.directory.c_str(), &attributes), 0);
  EXPECT_EQ(attributes.st_mode & 07777, 0700u);
}

TEST_F(DirectoryTest, a_second_user_is_told_who_the_first_one_is) {
  expect_refusal(Code::kBusy, {"in use by process " + std::to_string(::getpid())});
  cache_.reset();
  open();
}

TEST_F(DirectoryTest, another_volumes_cache_is_refused) {
  cache_.reset();
  options_.volume_id = "ffffffffffffffffffffffffffffffff";
  expect_refusal(Code::kInvalid, {"00112233445566778899aabbccddeeff", "ffffffffffffffffffffffffffffffff"});
}

TEST_F(DirectoryTest, a_newer_format_is_refused_whatever_else_it_says) {
  cache_.reset();
  ASSERT_TRUE(io::write_file_durably(layout_.identity_file(), "weir cache 7\nsomething new\n"));
  expect_refusal(Code::kUnsupported, {"format 7"});
}

TEST_F(DirectoryTest, a_broken_identity_is_refused) {
  cache_.reset();
  for (std::string text : {"", "weir cache one\n", "weir cache 1\nvolume x\n", "something else"}) {
    ASSERT_TRUE(io::write_file_durably(layout_.identity_file(), text));
    expect_refusal(Code::kCorrupt, {"identity"});
  }
}

TEST_F(DirectoryTest, a_file_in_its_place_is_refused) {
  options_.directory = directory_.file("file");
  ASSERT_TRUE(io::write_file_durably(options_.directory, "x"));
  expect_refusal(Code::kNotDirectory, {});
}

TEST_F(DirectoryTest, an_unnamed_directory_is_refused) {
  options_.directory.clear();
  EXPECT_EQ(refusal().code, Code::kInvalid);
}

TEST_F(DirectoryTest, a_read_only_disk_is_named_as_such) {
  cache_.reset();
  const std::string disk = directory_.file("disk");
  ASSERT_TRUE(io::make_directories(disk));
  weir::testing::SmallDisk small(disk, 16u << 20);
  if (!small.mounted()) GTEST_SKIP() << "mounting a disk needs root";
  options_.directory = disk + "/cache";
  open();
  cache_.reset();
  ASSERT_EQ(::mount("weir-test", disk.c_str(), "tmpfs", MS_REMOUNT | MS_RDONLY, nullptr), 0);
  expect_refusal(Code::kReadOnly, {"read-only"});
  options_.directory = disk + "/new";
  expect_refusal(Code::kReadOnly, {"read-only"});
}

TEST_F(DirectoryTest, a_full_disk_is_named_as_such) {
  cache_.reset();
  const std::string disk = directory_.file("disk");
  ASSERT_TRUE(io::make_directories(disk));
  weir::testing::SmallDisk small(disk, 4u << 20);
  if (!small.mounted()) GTEST_SKIP() << "mounting a disk needs root";
  FileDescriptor filler = io::open_file(disk + "/filler", O_WRONLY | O_CREAT).value();
  while (io::write_at(filler.get(), std::string(4096, 'x'), io::file_size(filler.get()).value())) continue;
  options_.directory = disk + "/cache";
  expect_refusal(Code::kNoSpace, {"full disk"});
}

TEST_F(DirectoryTest, a_directory_of_another_user_is_named_as_such) {
  if (::geteuid() != 0) GTEST_SKIP() << "becoming another user needs root";
  cache_.reset();
  ASSERT_EQ(::chmod(directory_.path().c_str(), 0755), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    bool told = ::setuid(65534) == 0 && refusal().code == Code::kAccess;
    ::_exit(told ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(WEXITSTATUS(status), 0);
}

TEST_F(DirectoryTest, the_lock_is_free_again_when_the_process_is_killed) {
  cache_.reset();
  if (auto told = weir::testing::own_process_arguments()) {
    options_.directory = told->at(0);
    auto opened = Cache::open(options_, clock_, {});
    char byte = opened ? 'y' : 'n';
    if (::write(std::stoi(told->at(1)), &byte, 1) != 1) ::_exit(1);
    ::pause();
  }
  int ready[2];
  ASSERT_EQ(::pipe(ready), 0);
  const pid_t child = weir::testing::start_own_process({options_.directory, std::to_string(ready[1])});
  ASSERT_GT(child, 0);
  char byte = 0;
  ASSERT_EQ(::read(ready[0], &byte, 1), 1);
  EXPECT_EQ(byte, 'y');
  expect_refusal(Code::kBusy, {"in use by process " + std::to_string(child)});
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  ::close(ready[0]);
  ::close(ready[1]);
  open();
}

}  // namespace
}  // namespace weir::cache::testing
