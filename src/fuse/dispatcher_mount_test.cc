// The dispatcher behind a real kernel mount: what only the kernel's own sequences show.
#include <fcntl.h>
#include <linux/fs.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <set>
#include <thread>

#include "base/io.h"
#include "fuse/dispatcher_fixture.h"
#include "fuse/mount.h"

namespace weir::fuse {
namespace {

namespace fs = std::filesystem;

class DispatcherMountTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    if (::geteuid() != 0 || ::access("/dev/fuse", R_OK | W_OK) != 0) return;
    directory_ = std::make_unique<testing::TemporaryDirectory>();
    MountOptions options{.mount_point = directory_->file("mount"), .volume = "test"};
    ::mkdir(options.mount_point.c_str(), 0755);
    auto device = mount(options);
    if (!device) return;
    volume_ = std::make_unique<DispatchedVolume>();
    volume_->serve(std::move(*device));
    mount_point_ = options.mount_point;
  }
  static void TearDownTestSuite() {
    if (volume_ == nullptr) return;
    EXPECT_TRUE(unmount(mount_point_, UnmountMode::kClean).has_value());
    volume_->channel().wait();
    volume_.reset();
  }
  void SetUp() override {
    if (volume_ == nullptr) GTEST_SKIP() << "needs root and /dev/fuse, and may not mount here";
    root_ = mount_point_ + "/" + ::testing::UnitTest::GetInstance()->current_test_info()->name();
    ASSERT_EQ(::mkdir(root_.c_str(), 0755), 0);
  }

  std::string path(const std::string& name) const { return root_ + "/" + name; }

  static FileDescriptor open_at(const std::string& file, int flags, mode_t mode = 0644) {
    FileDescriptor fd(::open(file.c_str(), flags | O_CLOEXEC, mode));
    EXPECT_TRUE(fd.valid()) << file << ": " << std::strerror(errno);
    return fd;
  }
  static void write_whole(const std::string& file, std::string_view bytes) {
    FileDescriptor fd = open_at(file, O_WRONLY | O_CREAT | O_TRUNC);
    ASSERT_EQ(::write(fd.get(), bytes.data(), bytes.size()), static_cast<ssize_t>(bytes.size()));
  }
  static std::string read_whole(const std::string& file) { return io::read_file(file).value_or("unreadable"); }

  static inline std::unique_ptr<testing::TemporaryDirectory> directory_;
  static inline std::unique_ptr<DispatchedVolume> volume_;
  static inline std::string mount_point_;
  std::string root_;
};

std::string pattern(size_t size) {
  std::string content(size, '\0');
  for (size_t i = 0; i < size; ++i) content[i] = static_cast<char>(i * 2654435761u >> 9);
  return content;
}

TEST_F(DispatcherMountTest, FilesOfAllSizesKeepTheirContent) {
  for (size_t size : {0ul, 1ul, 4096ul, 4097ul, 65536ul, 65537ul, (4ul << 20) + 1, 9ul << 20}) {
    const std::string content = pattern(size);
    write_whole(path("f"), content);
    EXPECT_EQ(fs::file_size(path("f")), size);
    EXPECT_TRUE(read_whole(path("f")) == content) << size;
  }
}

TEST_F(DispatcherMountTest, ARenameInsideTheBlockThatWritesMovesTheContent) {
  FileDescriptor fd = open_at(path("temporary"), O_RDWR | O_CREAT | O_EXCL);
  ASSERT_EQ(::write(fd.get(), "content", 7), 7);
  ASSERT_EQ(::rename(path("temporary").c_str(), path("final").c_str()), 0);
  EXPECT_EQ(read_whole(path("final")), "content");
  EXPECT_FALSE(fs::exists(path("temporary")));
}

TEST_F(DispatcherMountTest, AListingHasEveryNameOnce) {
  std::set<std::string> expected;
  for (int i = 0; i < 500; ++i) {
    const std::string name = "name-" + std::to_string(i);
    ASSERT_EQ(::mkdir(path(name).c_str(), 0755), 0);
    expected.insert(name);
  }
  std::multiset<std::string> found;
  for (const fs::directory_entry& entry : fs::directory_iterator(root_)) found.insert(entry.path().filename());
  EXPECT_EQ(found.size(), expected.size());
  EXPECT_EQ(std::set<std::string>(found.begin(), found.end()), expected);
  EXPECT_EQ(fs::remove_all(root_), 501u);
}

TEST_F(DispatcherMountTest, AnUnlinkedFileStaysUsableWhileOpen) {
  FileDescriptor fd = open_at(path("f"), O_RDWR | O_CREAT);
  ASSERT_EQ(::write(fd.get(), "still here", 10), 10);
  ASSERT_EQ(::unlink(path("f").c_str()), 0);
  char buffer[16] = {};
  EXPECT_EQ(::pread(fd.get(), buffer, sizeof(buffer), 0), 10);
  EXPECT_STREQ(buffer, "still here");
  struct stat status {};
  ASSERT_EQ(::fstat(fd.get(), &status), 0);
  EXPECT_EQ(status.st_nlink, 0u);
}

TEST_F(DispatcherMountTest, AnUnnamedFileAppearsWholeWhenLinked) {
  if (volume_->channel().negotiated().kernel_minor < 37) {
    EXPECT_EQ(::open(root_.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0644), -1);
    EXPECT_EQ(errno, EOPNOTSUPP);
    GTEST_SKIP() << "this kernel has no O_TMPFILE on FUSE (Linux 6.1)";
  }
  FileDescriptor fd = open_at(root_, O_TMPFILE | O_RDWR);
  ASSERT_EQ(::write(fd.get(), "whole", 5), 5);
  const std::string self = "/proc/self/fd/" + std::to_string(fd.get());
  ASSERT_EQ(::linkat(AT_FDCWD, self.c_str(), AT_FDCWD, path("named").c_str(), AT_SYMLINK_FOLLOW), 0);
  EXPECT_EQ(read_whole(path("named")), "whole");
}

TEST_F(DispatcherMountTest, StoresThroughASharedMappingAreReadByOthersAndKept) {
  const std::string content = pattern(256 << 10);
  write_whole(path("f"), content);
  {
    FileDescriptor fd = open_at(path("f"), O_RDWR);
    void* base = ::mmap(nullptr, content.size(), PROT_READ | PROT_WRITE, MAP_SHARED, fd.get(), 0);
    ASSERT_NE(base, MAP_FAILED);
    EXPECT_EQ(std::memcmp(base, content.data(), content.size()), 0);
    std::memcpy(static_cast<char*>(base) + 100'000, "stored", 6);
    EXPECT_EQ(read_whole(path("f")).substr(100'000, 6), "stored");
    ASSERT_EQ(::msync(base, content.size(), MS_SYNC), 0);
    ASSERT_EQ(::munmap(base, content.size()), 0);
  }
  EXPECT_EQ(read_whole(path("f")).substr(100'000, 6), "stored");
  EXPECT_EQ(fs::file_size(path("f")), content.size());
}

TEST_F(DispatcherMountTest, AFileEmptiedWhilePagesOfAMappingAreWrittenBackStaysEmpty) {
  constexpr size_t kBytes = 100 << 10;
  FileDescriptor fd = open_at(path("f"), O_RDWR | O_CREAT);
  for (int round = 0; round < 200; ++round) {
    ASSERT_EQ(::ftruncate(fd.get(), kBytes), 0);
    void* mapping = ::mmap(nullptr, kBytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd.get(), 0);
    ASSERT_NE(mapping, MAP_FAILED);
    std::memset(mapping, 'x', kBytes);
    std::thread writes_back([&] { ::sync_file_range(fd.get(), 0, 0, SYNC_FILE_RANGE_WRITE); });
    { FileDescriptor emptied = open_at(path("f"), O_RDWR | O_TRUNC); }
    writes_back.join();
    ::munmap(mapping, kBytes);
    ASSERT_EQ(::fsync(fd.get()), 0);
    struct stat attributes {};
    ASSERT_EQ(::fstat(fd.get(), &attributes), 0);
    ASSERT_EQ(attributes.st_size, 0) << "round " << round;
  }
}

TEST_F(DispatcherMountTest, HolesAreMadeFoundAndReadAsZeros) {
  FileDescriptor fd = open_at(path("sparse"), O_RDWR | O_CREAT);
  const off_t far = 8 << 20;
  ASSERT_EQ(::pwrite(fd.get(), "end", 3, far), 3);
  EXPECT_EQ(::lseek(fd.get(), 0, SEEK_DATA), far);
  EXPECT_EQ(::lseek(fd.get(), 0, SEEK_HOLE), 0);
  ASSERT_EQ(::fallocate(fd.get(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, far, 1), 0);
  char bytes[4] = {'x', 'x', 'x', 'x'};
  EXPECT_EQ(::pread(fd.get(), bytes, 4, far), 3);
  EXPECT_EQ(std::string_view(bytes, 3), std::string_view("\0nd", 3));
  EXPECT_EQ(::pread(fd.get(), bytes, 4, 12345), 4);
  EXPECT_EQ(std::string_view(bytes, 4), std::string_view("\0\0\0\0", 4));
}

TEST_F(DispatcherMountTest, CopyFileRangeExchangeAndTruncation) {
  write_whole(path("a"), pattern(5 << 20));
  write_whole(path("b"), "b");
  {
    FileDescriptor from = open_at(path("a"), O_RDONLY);
    FileDescriptor to = open_at(path("c"), O_WRONLY | O_CREAT);
    size_t left = 5 << 20;
    while (left > 0) {
      const ssize_t copied = ::copy_file_range(from.get(), nullptr, to.get(), nullptr, left, 0);
      ASSERT_GT(copied, 0) << std::strerror(errno);
      left -= static_cast<size_t>(copied);
    }
  }
  EXPECT_TRUE(read_whole(path("c")) == pattern(5 << 20));
  ASSERT_EQ(::renameat2(AT_FDCWD, path("a").c_str(), AT_FDCWD, path("b").c_str(), RENAME_EXCHANGE), 0);
  EXPECT_EQ(read_whole(path("a")), "b");
  EXPECT_EQ(::renameat2(AT_FDCWD, path("a").c_str(), AT_FDCWD, path("b").c_str(), RENAME_NOREPLACE), -1);
  EXPECT_EQ(errno, EEXIST);
  ASSERT_EQ(::truncate(path("b").c_str(), 3), 0);
  EXPECT_EQ(read_whole(path("b")), pattern(3));
}

TEST_F(DispatcherMountTest, AttributesAndXattrsAreKept) {
  write_whole(path("f"), "x");
  ASSERT_EQ(::chmod(path("f").c_str(), 04711), 0);
  ASSERT_EQ(::lchown(path("f").c_str(), 1234, 4321), 0);
  ASSERT_EQ(::chmod(path("f").c_str(), 0640), 0);
  const timespec times[2] = {{1, 2}, {-5, 999'999'999}};
  ASSERT_EQ(::utimensat(AT_FDCWD, path("f").c_str(), times, 0), 0);
  struct stat status {};
  ASSERT_EQ(::stat(path("f").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode, S_IFREG | 0640u);
  EXPECT_EQ(status.st_uid, 1234u);
  EXPECT_EQ(status.st_gid, 4321u);
  EXPECT_EQ(status.st_mtim.tv_sec, -5);
  EXPECT_EQ(status.st_mtim.tv_nsec, 999'999'999);
  EXPECT_EQ(status.st_atim.tv_nsec, 2);
  struct statx extended {};
  ASSERT_EQ(::statx(AT_FDCWD, path("f").c_str(), 0, STATX_BTIME, &extended), 0);
  // The kernel asks for it since 6.6, protocol 7.39.
  const bool asked = volume_->channel().negotiated().kernel_minor >= 39;
  EXPECT_EQ((extended.stx_mask & STATX_BTIME) != 0, asked);
  if (asked) {
    EXPECT_GT(extended.stx_btime.tv_sec, 1'600'000'000);
  }

  ASSERT_EQ(::setxattr(path("f").c_str(), "user.key", "value", 5, XATTR_CREATE), 0);
  char value[16] = {};
  EXPECT_EQ(::getxattr(path("f").c_str(), "user.key", value, sizeof(value)), 5);
  EXPECT_STREQ(value, "value");
  EXPECT_EQ(::getxattr(path("f").c_str(), "user.key", value, 2), -1);
  EXPECT_EQ(errno, ERANGE);
  EXPECT_EQ(::getxattr(path("f").c_str(), "user.none", value, sizeof(value)), -1);
  EXPECT_EQ(errno, ENODATA);
  struct statvfs space {};
  ASSERT_EQ(::statvfs(root_.c_str(), &space), 0);
  EXPECT_EQ(space.f_namemax, 255u);
}

TEST_F(DispatcherMountTest, AppendsByTwoProcessesDoNotOverwriteEachOther) {
  write_whole(path("log"), "");
  constexpr int kLines = 200;
  auto append = [&](char mark) {
    FileDescriptor fd(::open(path("log").c_str(), O_WRONLY | O_APPEND));
    for (int i = 0; i < kLines; ++i) {
      if (::write(fd.get(), &mark, 1) != 1) return 1;
    }
    return 0;
  };
  const pid_t child = ::fork();
  if (child == 0) ::_exit(append('c'));
  EXPECT_EQ(append('p'), 0);
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  const std::string content = read_whole(path("log"));
  EXPECT_EQ(std::count(content.begin(), content.end(), 'c'), kLines);
  EXPECT_EQ(std::count(content.begin(), content.end(), 'p'), kLines);
}

/// Runs `wait_for_lock` in a child, sends it `signal_number` while it waits, and returns its wait status.
template <class Wait>
int signal_a_waiter(int signal_number, Wait wait_for_lock) {
  const pid_t child = ::fork();
  if (child == 0) {
    struct sigaction action {};
    action.sa_handler = [](int) {};
    ::sigaction(SIGUSR1, &action, nullptr);
    ::_exit(wait_for_lock());
  }
  ::usleep(100'000);
  ::kill(child, signal_number);
  int status = 0;
  EXPECT_EQ(::waitpid(child, &status, 0), child);
  return status;
}

TEST_F(DispatcherMountTest, AWaiterForALockIsWokenBySignalsAndByTheUnlock) {
  write_whole(path("f"), "x");
  FileDescriptor holder = open_at(path("f"), O_RDWR);
  ASSERT_EQ(::flock(holder.get(), LOCK_EX), 0);
  auto wait_for_lock = [&] {
    FileDescriptor fd(::open(path("f").c_str(), O_RDWR));
    return ::flock(fd.get(), LOCK_EX) == 0 ? 0 : errno;
  };
  const int interrupted = signal_a_waiter(SIGUSR1, wait_for_lock);
  ASSERT_TRUE(WIFEXITED(interrupted));
  EXPECT_EQ(WEXITSTATUS(interrupted), EINTR);
  const int killed = signal_a_waiter(SIGKILL, wait_for_lock);
  EXPECT_TRUE(WIFSIGNALED(killed));

  const pid_t child = ::fork();
  if (child == 0) ::_exit(wait_for_lock());
  ::usleep(50'000);
  ASSERT_EQ(::flock(holder.get(), LOCK_UN), 0);
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
}

TEST_F(DispatcherMountTest, FcntlLocksConflictByRangeAndEndWithTheProcess) {
  write_whole(path("f"), "0123456789");
  FileDescriptor fd = open_at(path("f"), O_RDWR);
  struct flock lock {};
  lock.l_type = F_WRLCK;
  lock.l_start = 0;
  lock.l_len = 5;
  ASSERT_EQ(::fcntl(fd.get(), F_SETLK, &lock), 0);
  auto in_child = [&](off_t start) {
    const pid_t child = ::fork();
    if (child == 0) {
      FileDescriptor own(::open(path("f").c_str(), O_RDWR));
      struct flock wanted {};
      wanted.l_type = F_WRLCK;
      wanted.l_start = start;
      wanted.l_len = 5;
      ::_exit(::fcntl(own.get(), F_SETLK, &wanted) == 0 ? 0 : errno);
    }
    int status = 0;
    EXPECT_EQ(::waitpid(child, &status, 0), child);
    return WEXITSTATUS(status);
  };
  EXPECT_EQ(in_child(4), EAGAIN);
  EXPECT_EQ(in_child(5), 0);
  lock.l_start = 5;
  EXPECT_EQ(::fcntl(fd.get(), F_SETLK, &lock), 0);  // the child's lock on this range ended with it
}

TEST_F(DispatcherMountTest, ADirectoryListedAgainCostsNoRequestAndShowsWhatChangedMeanwhile) {
  const auto names = [&] {
    std::set<std::string> found;
    for (const auto& entry : fs::directory_iterator(root_)) found.insert(entry.path().filename());
    return found;
  };
  const auto requests = [] {
    return volume_->channel().statistics(FUSE_READDIR).requests +
           volume_->channel().statistics(FUSE_READDIRPLUS).requests;
  };
  using Names = std::set<std::string>;
  write_whole(path("a"), "1");
  write_whole(path("b"), "2");
  EXPECT_EQ(names(), (Names{"a", "b"}));
  const uint64_t before = requests();
  EXPECT_EQ(names(), (Names{"a", "b"}));
  EXPECT_EQ(requests(), before);

  write_whole(path("c"), "3");
  EXPECT_EQ(names(), (Names{"a", "b", "c"}));
  ASSERT_EQ(::rename(path("c").c_str(), path("d").c_str()), 0);
  EXPECT_EQ(names(), (Names{"a", "b", "d"}));
  ASSERT_EQ(::unlink(path("a").c_str()), 0);
  EXPECT_EQ(names(), (Names{"b", "d"}));
  ASSERT_EQ(::mkdir(path("e").c_str(), 0755), 0);
  EXPECT_EQ(names(), (Names{"b", "d", "e"}));
  ASSERT_EQ(::link(path("b").c_str(), path("f").c_str()), 0);
  EXPECT_EQ(names(), (Names{"b", "d", "e", "f"}));
}

TEST_F(DispatcherMountTest, ProgramsRunAndDoNotSeeIoctls) {
  fs::copy_file("/bin/true", path("true"));
  ASSERT_EQ(::chmod(path("true").c_str(), 0755), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    ::execl(path("true").c_str(), "true", nullptr);
    ::_exit(99);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  FileDescriptor fd = open_at(path("true"), O_RDONLY);
  int flags = 0;
  EXPECT_EQ(::ioctl(fd.get(), FS_IOC_GETFLAGS, &flags), -1);
  EXPECT_EQ(errno, ENOTTY);
}

}  // namespace
}  // namespace weir::fuse
