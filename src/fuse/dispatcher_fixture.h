#pragma once

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fcntl.h>

#include <cerrno>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/random.h"
#include "cache/cache.h"
#include "fuse/channel.h"
#include "fuse/device.h"
#include "fuse/dispatcher.h"
#include "kv/memory/memory_engine.h"
#include "meta/volume.h"
#include "object/memory/memory_store.h"
#include "testing/fake_kernel.h"
#include "testing/temporary_directory.h"
#include "vfs/filesystem.h"

namespace weir::fuse {

/// A whole volume on memory engine and memory store.
class DispatchedVolume {
 public:
  DispatchedVolume() {
    VolumeSettings settings;
    settings.volume_id = std::string(32, '1');
    settings.incarnation = std::string(32, '2');
    settings.name = "test";
    EXPECT_TRUE(meta::Volume::format(engine_, settings, 0, 0, clock_).has_value());
    volume_ = take(meta::Volume::open(engine_, NodeId{1}, clock_, random_));
    cache::Options cache;
    cache.directory = directory_.file("cache");
    cache.volume_id = settings.volume_id;
    cache.size_bytes_max = 1u << 30;
    cache.reserve_bytes = 1u << 20;
    cache_ = take(cache::Cache::open(cache, clock_, [](const ManifestId&, const std::vector<ChunkId>&) {}));
    vfs::FilesystemOptions options;
    options.lifetimes = {.entry_ms = 60'000, .attributes_ms = 60'000, .absent_ms = 5'000};
    filesystem_ = take(vfs::Filesystem::start(*volume_, *cache_, store_, options));
    dispatcher_ = std::make_unique<Dispatcher>(*filesystem_);
  }

  /// The other end must hang up before this object goes.
  void serve(FileDescriptor device, const ChannelOptions& channel_options = {}) {
    std::shared_ptr<SharedMemory> memory = take(SharedMemory::create());
    channel_ = take(Channel::start(take(open_devices(std::move(device), 3)), memory, *dispatcher_, channel_options));
  }
  Channel& channel() { return *channel_; }

 private:
  template <class T>
  static T take(Result<T> result) {
    EXPECT_TRUE(result.has_value()) << (result ? "" : result.error().what);
    return std::move(result).value();
  }

  testing::TemporaryDirectory directory_;
  SystemClock clock_;
  SystemRandom random_;
  kv::MemoryEngine engine_;
  object::MemoryStore store_{clock_};
  std::unique_ptr<meta::Volume> volume_;
  std::unique_ptr<cache::Cache> cache_;
  std::unique_ptr<vfs::Filesystem> filesystem_;
  std::unique_ptr<Dispatcher> dispatcher_;
  std::unique_ptr<Channel> channel_;
};

/// All tests share one volume, each in a directory of its own.
class DispatcherTest : public ::testing::Test {
 protected:
  using Answer = testing::FakeKernel::Answer;
  using Body = testing::Body;

  struct Shared {
    DispatchedVolume volume;
    testing::FakeKernel kernel;
  };

  static void SetUpTestSuite() {
    shared_ = std::make_unique<Shared>();
    const uint64_t init = shared_->kernel.send_init();
    shared_->volume.serve(shared_->kernel.take_device());
    EXPECT_EQ(shared_->kernel.wait(init)->error, 0);
  }
  static void TearDownTestSuite() { shared_.reset(); }

  void SetUp() override {
    root_ = make_directory(FUSE_ROOT_ID, ::testing::UnitTest::GetInstance()->current_test_info()->name());
  }
  void TearDown() override { kernel_.set_caller({}); }

  Answer call(uint32_t opcode, uint64_t node, std::string_view body = {}) { return kernel_.call(opcode, node, body); }
  int error_of(uint32_t opcode, uint64_t node, std::string_view body = {}) { return call(opcode, node, body).error; }

  Answer lookup(uint64_t parent, const std::string& name) { return call(FUSE_LOOKUP, parent, Body().name(name)); }

  uint64_t make_directory(uint64_t parent, const std::string& name) {
    const Answer answer = call(FUSE_MKDIR, parent, Body().add(fuse_mkdir_in{0755, 022}).name(name));
    EXPECT_EQ(answer.error, 0) << name;
    return answer.as<fuse_entry_out>().nodeid;
  }

  struct OpenFile {
    uint64_t node = 0;
    uint64_t handle = 0;
  };

  OpenFile create(uint64_t parent, const std::string& name, uint32_t flags = O_RDWR) {
    const fuse_create_in in{flags | O_CREAT, S_IFREG | 0644, 022, 0};
    const Answer answer = call(FUSE_CREATE, parent, Body().add(in).name(name));
    EXPECT_EQ(answer.error, 0) << name;
    return created(answer);
  }

  static OpenFile created(const Answer& answer) {
    OpenOut opened{};
    EXPECT_EQ(answer.payload.size(), sizeof(fuse_entry_out) + sizeof(opened));
    if (answer.payload.size() == sizeof(fuse_entry_out) + sizeof(opened)) {
      std::memcpy(&opened, answer.payload.data() + sizeof(fuse_entry_out), sizeof(opened));
    }
    return {answer.as<fuse_entry_out>().nodeid, opened.fh};
  }

  int write(const OpenFile& file, uint64_t offset, std::string_view bytes) {
    fuse_write_in in{};
    in.fh = file.handle;
    in.offset = offset;
    in.size = static_cast<uint32_t>(bytes.size());
    const Answer answer = call(FUSE_WRITE, file.node, Body().add(in).bytes(bytes));
    if (answer.error == 0) {
      EXPECT_EQ(answer.as<fuse_write_out>().size, bytes.size());
    }
    return answer.error;
  }

  Answer read(const OpenFile& file, uint64_t offset, uint32_t size) {
    fuse_read_in in{};
    in.fh = file.handle;
    in.offset = offset;
    in.size = size;
    return call(FUSE_READ, file.node, Body().add(in));
  }

  int flush(const OpenFile& file, uint64_t lock_owner = 0) {
    fuse_flush_in in{};
    in.fh = file.handle;
    in.lock_owner = lock_owner;
    return error_of(FUSE_FLUSH, file.node, Body().add(in));
  }

  int release(const OpenFile& file, uint32_t flags = O_RDWR) {
    fuse_release_in in{};
    in.fh = file.handle;
    in.flags = flags;
    return error_of(FUSE_RELEASE, file.node, Body().add(in));
  }

  OpenFile open(uint64_t node, uint32_t flags = O_RDONLY) {
    const Answer answer = call(FUSE_OPEN, node, Body().add(fuse_open_in{flags, 0}));
    EXPECT_EQ(answer.error, 0);
    return {node, answer.as<OpenOut>().fh};
  }

  fuse_attr attributes(uint64_t node) {
    return call(FUSE_GETATTR, node, Body().add(fuse_getattr_in{})).as<fuse_attr_out>().attr;
  }

  static inline std::unique_ptr<Shared> shared_;
  testing::FakeKernel& kernel_ = shared_->kernel;
  uint64_t root_ = 0;
};

}  // namespace weir::fuse
