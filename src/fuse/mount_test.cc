#include "fuse/mount.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <thread>

#include "base/io.h"
#include "fuse/channel.h"
#include "fuse/device.h"
#include "fuse/fusermount.h"
#include "fuse/wire.h"
#include "testing/temporary_directory.h"

namespace weir::fuse {
namespace {

constexpr uint64_t kFileNode = 2;

/// A root directory with one file, "hello".
class OneFileHandler : public Handler {
 public:
  explicit OneFileHandler(std::string content) : content_(std::move(content)) {}

  void start(const Negotiated&) override {}
  void interrupt(uint64_t) override {}
  void handle(const Request& request, Responder responder) override {
    switch (request.header.opcode) {
      case FUSE_LOOKUP: return lookup(request, std::move(responder));
      case FUSE_GETATTR: return get_attributes(request, std::move(responder));
      case FUSE_READ: return read(request, std::move(responder));
      case FUSE_OPEN: return reply(std::move(responder), OpenOut{1, 0, 0});
      case FUSE_STATFS: return reply(std::move(responder), fuse_statfs_out{});
      case FUSE_FLUSH:
      case FUSE_RELEASE: return responder.ok();
      case FUSE_FORGET:
      case FUSE_BATCH_FORGET: return responder.none();
      default: return responder.fail(Code::kNoSystemCall);
    }
  }

  std::atomic<uint64_t> lookups = 0;
  std::atomic<uint64_t> reads = 0;

 private:
  template <class T>
  static void reply(Responder responder, const T& out) {
    responder.ok({reinterpret_cast<const char*>(&out), sizeof(out)});
  }
  fuse_attr attributes(uint64_t node) const {
    fuse_attr attr{};
    attr.ino = node;
    attr.mode = node == kFileNode ? S_IFREG | 0644 : S_IFDIR | 0755;
    attr.nlink = 1;
    attr.size = node == kFileNode ? content_.size() : 0;
    attr.blksize = 4096;
    return attr;
  }
  void lookup(const Request& request, Responder responder) {
    ++lookups;
    if (BodyReader(request.body).name() != "hello") return responder.fail(Code::kNotFound);
    fuse_entry_out out{};
    out.nodeid = kFileNode;
    out.entry_valid = out.attr_valid = 60;
    out.attr = attributes(kFileNode);
    reply(std::move(responder), out);
  }
  void get_attributes(const Request& request, Responder responder) {
    fuse_attr_out out{};
    out.attr_valid = 60;
    out.attr = attributes(request.header.nodeid);
    reply(std::move(responder), out);
  }
  void read(const Request& request, Responder responder) {
    ++reads;
    const auto in = BodyReader(request.body).take<fuse_read_in>();
    const std::string_view content = content_;
    responder.ok(in.offset < content.size() ? content.substr(in.offset, in.size) : std::string_view());
  }

  const std::string content_;
};

struct MountedFile {
  explicit MountedFile(const std::string& content) : handler(content) {}

  Status start(const MountOptions& options) {
    ASSIGN_OR_RETURN(FileDescriptor device, mount(options));
    ASSIGN_OR_RETURN(std::vector<FileDescriptor> devices, open_devices(std::move(device), 2));
    ASSIGN_OR_RETURN(auto memory, SharedMemory::create({.requests = 8, .handles = 1, .contents = 1}));
    ASSIGN_OR_RETURN(channel, Channel::start(std::move(devices), std::move(memory), handler));
    return {};
  }

  OneFileHandler handler;
  std::unique_ptr<Channel> channel;
};

std::string pattern(size_t size) {
  std::string content(size, '\0');
  for (size_t i = 0; i < size; ++i) content[i] = static_cast<char>(i * 2654435761u >> 13);
  return content;
}

class MountTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "needs root to mount";
    if (::access("/dev/fuse", R_OK | W_OK) != 0) GTEST_SKIP() << "needs /dev/fuse";
    ::mkdir(options_.mount_point.c_str(), 0755);
    const Result<FileDescriptor> device = mount(options_);
    if (!device && device.error().code == Code::kPermission) GTEST_SKIP() << "may not mount here";
    ASSERT_TRUE(device.has_value()) << device.error().what;
    ASSERT_TRUE(unmount(options_.mount_point, UnmountMode::kClean).has_value());
  }
  void TearDown() override {
    while (::umount2(options_.mount_point.c_str(), MNT_DETACH) == 0) {
    }
  }

  testing::TemporaryDirectory directory_;
  MountOptions options_ = {.mount_point = directory_.file("mount point"), .volume = "test-volume"};
};

TEST_F(MountTest, AMountedFileIsReadAndUnmountEndsTheChannel) {
  const std::string content = pattern(3 << 20);
  MountedFile mounted(content);
  const Status started = mounted.start(options_);
  ASSERT_TRUE(started.has_value()) << started.error().what;
  struct stat status {};
  const std::string path = options_.mount_point + "/hello";
  ASSERT_EQ(::stat(path.c_str(), &status), 0);
  EXPECT_EQ(status.st_size, 3 << 20);
  EXPECT_EQ(io::read_file(path).value(), content);
  EXPECT_FALSE(std::filesystem::exists(options_.mount_point + "/absent"));
  EXPECT_EQ(probe_mount(options_.mount_point, 3000), MountLife::kAlive);
  EXPECT_TRUE(unmount(options_.mount_point, UnmountMode::kClean).has_value());
  mounted.channel->wait();
  EXPECT_EQ(probe_mount(options_.mount_point, 3000), MountLife::kNone);
}

TEST_F(MountTest, IsFoundByPathsInsideItAndBySymlinksIntoIt) {
  MountedFile mounted("x");
  ASSERT_TRUE(mounted.start(options_).has_value());
  const auto found = find_mount(options_.mount_point + "/a/b");
  ASSERT_TRUE(found.has_value());
  EXPECT_EQ(found->source, "test-volume");
  EXPECT_EQ(found->mount_point, options_.mount_point);
  EXPECT_FALSE(find_mount(directory_.path()).has_value());
  std::filesystem::create_symlink(options_.mount_point, directory_.file("link"));
  EXPECT_TRUE(find_mount(directory_.file("link")).has_value());
}

TEST_F(MountTest, ASecondMountSaysWhichVolumeIsThere) {
  MountedFile mounted("x");
  ASSERT_TRUE(mounted.start(options_).has_value());
  const auto second = mount(options_);
  ASSERT_FALSE(second.has_value());
  EXPECT_EQ(second.error().code, Code::kExists);
  EXPECT_NE(second.error().what.find("test-volume"), std::string::npos);
}

TEST_F(MountTest, ADeadMountIsClearedByTheNextMount) {
  { MountedFile(std::string("x")).start(options_); }
  struct stat status {};
  ASSERT_EQ(::stat((options_.mount_point + "/hello").c_str(), &status), -1);
  ASSERT_EQ(errno, ENOTCONN);
  EXPECT_EQ(probe_mount(options_.mount_point, 3000), MountLife::kDead);
  EXPECT_TRUE(find_mount(options_.mount_point + "/hello").has_value());
  MountedFile again("fresh");
  const Status started = again.start(options_);
  ASSERT_TRUE(started.has_value()) << started.error().what;
  EXPECT_EQ(io::read_file(options_.mount_point + "/hello").value(), "fresh");
}

TEST_F(MountTest, AMountThatDoesNotAnswerIsReportedAndCanBeForcedAway) {
  auto device = mount(options_);
  ASSERT_TRUE(device.has_value());
  EXPECT_EQ(probe_mount(options_.mount_point, 100), MountLife::kSilent);
  struct stat status {};
  int blocked = 0;
  std::thread caller([&] { blocked = ::stat((options_.mount_point + "/x").c_str(), &status); });
  ASSERT_TRUE(unmount(options_.mount_point, UnmountMode::kForce).has_value());
  caller.join();
  EXPECT_EQ(blocked, -1);
  EXPECT_EQ(probe_mount(options_.mount_point, 3000), MountLife::kNone);
}

TEST_F(MountTest, UnmountWithAnOpenFileIsBusyUnlessLazy) {
  MountedFile mounted("content");
  ASSERT_TRUE(mounted.start(options_).has_value());
  FileDescriptor open_file(::open((options_.mount_point + "/hello").c_str(), O_RDONLY));
  ASSERT_TRUE(open_file.valid());
  EXPECT_EQ(unmount(options_.mount_point, UnmountMode::kClean).error().code, Code::kBusy);
  EXPECT_TRUE(unmount(options_.mount_point, UnmountMode::kLazy).has_value());
  char byte = 0;
  EXPECT_EQ(::read(open_file.get(), &byte, 1), 1);
  open_file.reset();
  mounted.channel->wait();
}

TEST_F(MountTest, UnsuitableMountPointsAreRefusedWithTheirName) {
  MountOptions missing = options_;
  missing.mount_point = directory_.file("missing");
  EXPECT_EQ(mount(missing).error().code, Code::kNotFound);
  EXPECT_NE(mount(missing).error().what.find(missing.mount_point), std::string::npos);

  MountOptions file = options_;
  file.mount_point = directory_.file("file");
  std::ofstream(file.mount_point) << "x";
  EXPECT_EQ(mount(file).error().code, Code::kNotDirectory);

  MountOptions full = options_;
  full.mount_point = directory_.path();
  EXPECT_EQ(mount(full).error().code, Code::kNotEmpty);
  EXPECT_EQ(unmount(directory_.path(), UnmountMode::kClean).error().code, Code::kNotFound);
}

TEST_F(MountTest, ReadAheadIsRaisedToOneRequest) {
  MountedFile mounted(pattern(8 << 20));
  ASSERT_TRUE(mounted.start(options_).has_value());
  if (!raise_read_ahead(options_.mount_point)) GTEST_SKIP() << "/sys is not writable";
  const auto found = find_mount(options_.mount_point);
  std::ifstream file(fmt::format("/sys/class/bdi/{}:{}/read_ahead_kb", found->device_major, found->device_minor));
  int kilobytes = 0;
  file >> kilobytes;
  EXPECT_EQ(kilobytes, 1024);
  EXPECT_TRUE(io::read_file(options_.mount_point + "/hello").has_value());
  EXPECT_LT(mounted.handler.reads, 24u);
}

TEST_F(MountTest, NotificationsReachTheKernelsCache) {
  MountedFile mounted("content");
  ASSERT_TRUE(mounted.start(options_).has_value());
  const std::string path = options_.mount_point + "/hello";
  struct stat status {};
  ASSERT_EQ(::stat(path.c_str(), &status), 0);
  const uint64_t before = mounted.handler.lookups;
  ASSERT_EQ(::stat(path.c_str(), &status), 0);
  EXPECT_EQ(mounted.handler.lookups, before);
  Status done = error(Code::kInternal, "not called");
  mounted.channel->notifier().expire_entry(FUSE_ROOT_ID, "hello", [&done](const Status& sent) { done = sent; });
  mounted.channel->notifier().invalidate_entry(FUSE_ROOT_ID, "never seen");
  mounted.channel->notifier().drain();
  EXPECT_TRUE(done.has_value());
  ASSERT_EQ(::stat(path.c_str(), &status), 0);
  EXPECT_GT(mounted.handler.lookups, before);
}

/// Distributions leave /dev/fuse open to all, some containers do not: a device of our own in a mount namespace of our
/// own.
bool open_device_to_all(const std::string& device) {
  // In a changed root "/" is no mount point; then /dev is.
  auto hide_below = [](const char* place) {
    return ::mount("none", place, nullptr, MS_REC | MS_PRIVATE, nullptr) == 0;
  };
  return ::unshare(CLONE_NEWNS) == 0 && (hide_below("/") || hide_below("/dev")) &&
         ::mknod(device.c_str(), S_IFCHR | 0666, makedev(10, 229)) == 0 && ::chmod(device.c_str(), 0666) == 0 &&
         ::mount(device.c_str(), "/dev/fuse", nullptr, MS_BIND, nullptr) == 0;
}

/// What an ordinary user does, in a process that gave up root; a sentence on stderr for each failure.
int mount_as_nobody(const MountOptions& options, const std::string& device) {
  auto require = [](bool good, const char* what) {
    if (good) return;
    std::fprintf(stderr, "as nobody: %s\n", what);
    ::_exit(1);
  };
  require(open_device_to_all(device), "prepare /dev/fuse");
  require(::setgid(65534) == 0 && ::setuid(65534) == 0, "give up root");
  MountOptions shared = options;
  shared.allow_other = true;
  const auto refused = mount(shared);
  require(fusermount::user_allow_other() || refused.error().code == Code::kPermission, "allow_other is refused");
  MountedFile mounted("for nobody");
  const Status started = mounted.start(options);
  require(started.has_value(), started ? "" : started.error().what.c_str());
  require(io::read_file(options.mount_point + "/hello").value() == "for nobody", "read");
  require(find_mount(options.mount_point)->source == options.volume, "the source");
  require(unmount(options.mount_point, UnmountMode::kClean).has_value(), "unmount");
  mounted.channel->wait();
  return 0;
}

TEST_F(MountTest, AnOrdinaryUserMountsThroughFusermount) {
#if defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "the thread sanitizer allows no threads after fork";
#endif
  struct stat helper {};
  if (::stat("/usr/bin/fusermount3", &helper) != 0 || (helper.st_mode & S_ISUID) == 0) {
    GTEST_SKIP() << "needs a setuid /usr/bin/fusermount3";
  }
  ASSERT_EQ(::chmod(directory_.path().c_str(), 0755), 0);
  ASSERT_EQ(::chown(options_.mount_point.c_str(), 65534, 65534), 0);
  options_.allow_other = false;
  options_.volume = "name, with comma";
  const pid_t child = ::fork();
  if (child == 0) ::_exit(mount_as_nobody(options_, directory_.file("fuse")));
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

TEST(Fusermount, TheConfigurationMustHaveTheLineItself) {
  testing::TemporaryDirectory directory;
  const std::string path = directory.file("fuse.conf");
  EXPECT_FALSE(fusermount::user_allow_other(path));
  std::ofstream(path) << "# user_allow_other\n#user_allow_other\nmount_max = 10\n";
  EXPECT_FALSE(fusermount::user_allow_other(path));
  std::ofstream(path, std::ios::app) << "  user_allow_other  \n";
  EXPECT_TRUE(fusermount::user_allow_other(path));
}

}  // namespace
}  // namespace weir::fuse
