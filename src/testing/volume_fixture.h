#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/check.h"
#include "base/clock.h"
#include "base/io.h"
#include "base/random.h"
#include "base/shared_memory.h"
#include "cache/cache.h"
#include "kv/memory/memory_engine.h"
#include "kv/rocksdb/rocksdb_engine.h"
#include "meta/volume.h"
#include "object/directory/directory_store.h"
#include "object/faulty/faulty_store.h"
#include "object/memory/memory_store.h"
#include "testing/sparse_bytes.h"
#include "testing/temporary_directory.h"
#include "vfs/admin.h"
#include "vfs/filesystem.h"

namespace weir::testing {

using vfs::HandleId;
using vfs::KernelNode;

/// What several nodes have in common.
struct SharedParts {
  kv::MemoryEngine engine{true};
  SystemClock clock;
  object::MemoryStore store{clock};
};

struct VolumeOptions {
  SharedParts* shared = nullptr;  // with other volumes, each a node of its own; null: one node
  NodeId node{1};
  std::function<std::unique_ptr<kv::Engine>(kv::Engine&)> around;  // the shared engine, for this node
  bool on_disk = false;   // RocksDB and a directory store; else memory engine and memory store
  std::string directory;  // of all that is on disk; empty: a temporary one
  uint64_t cache_bytes = uint64_t{8} << 30;
  uint64_t reserve_bytes = 1;
  std::string boot_id = "boot";  // another one: the machine started anew since
  vfs::FilesystemOptions filesystem = {.read_timeout_ms = 5'000, .fetch_threads = 4, .upload_threads = 2};
};

/// A whole volume below the kernel channel, with its names in one directory and the calls that a kernel would make.
/// Thread-safe as Filesystem is, except what starts and stops.
class TestVolume {
  template <class T>
  static auto failure_of(const Result<T>& result) {
    return error(result.error().code, "{}", result.error().what);
  }

 public:
  explicit TestVolume(VolumeOptions options = {}) : options_(std::move(options)) {
    if (options_.directory.empty()) options_.directory = temporary_.path();
    open_engine();
    open_store();
    start();
  }
  ~TestVolume() {
    stop();
    for (Life& life : ended_) {
      life.filesystem.reset();
      life.cache.reset();
    }
  }

  vfs::Filesystem& fs() { return *filesystem_; }
  cache::Cache& cache() { return *cache_; }
  meta::Volume& volume() { return *volume_; }
  object::FaultyStore& store() { return *store_; }
  VolumeOptions& options() { return options_; }
  const std::string cache_directory() const { return options_.directory + "/cache" + std::to_string(ended_.size()); }
  std::vector<ManifestId>& lost() { return lost_; }

  void start() {
    volume_ = must(meta::Volume::open(*engine_, options_.node, clock_, random_));
    cache::Options cache;
    cache.directory = cache_directory();
    cache.volume_id = kVolumeId;
    cache.size_bytes_max = options_.cache_bytes;
    cache.reserve_bytes = options_.reserve_bytes;
    cache.boot_id = [this] { return Result<std::string>(options_.boot_id); };
    cache_ = must(cache::Cache::open(
        cache, clock_, [this](const ManifestId& image, const std::vector<ChunkId>&) { lost_.push_back(image); }));
    filesystem_ = must(vfs::Filesystem::start(*volume_, *cache_, *store_, options_.filesystem));
  }
  void stop() {
    filesystem_.reset();
    cache_.reset();
    volume_.reset();
  }
  void restart() {
    stop();
    start();
  }

  /// As if the daemon was killed at this moment, in the middle of a call: what memory and disk hold now is what the
  /// successor of the next kill_and_resume() finds.
  void note_death() {
    death_memory_ = copy_of(*options_.filesystem.memory);
    // Files with two names stay such.
    CHECK(::system(fmt::format("cp -a {} {}", cache_directory(), death_directory()).c_str()) == 0);
  }
  /// A descriptor of what was inode number `inode` of the cache's disk when death was noted; -1: none.
  int file_after_death(ino_t inode) const {
    for (const auto& entry : std::filesystem::recursive_directory_iterator(cache_directory())) {
      struct stat attributes {};
      if (::stat(entry.path().c_str(), &attributes) != 0 || attributes.st_ino != inode) continue;
      const std::string twin = death_directory() + entry.path().string().substr(cache_directory().size());
      if (int fd = ::open(twin.c_str(), O_RDONLY | O_CLOEXEC); fd >= 0) return fd;
    }
    return -1;
  }

  /// As if the daemon was killed now, and its successor goes on with what memory and disk hold. Requires: no call is
  /// under way, and options().filesystem.memory was set. The killed one keeps its own copies, and is left alone until
  /// the end. `memory` makes another memory for the successor than a copy.
  void kill_and_resume(const std::function<std::shared_ptr<SharedMemory>()>& memory = {}) {
    const std::string before = cache_directory();
    const bool died_before = death_memory_ != nullptr;
    std::shared_ptr<SharedMemory> successor = memory        ? memory()
                                              : died_before ? std::move(death_memory_)
                                                            : copy_of(*options_.filesystem.memory);
    ended_.push_back({std::move(volume_), std::move(cache_), std::move(filesystem_)});
    if (died_before)
      std::filesystem::rename(death_directory(), cache_directory());
    else
      std::filesystem::copy(before, cache_directory(), std::filesystem::copy_options::recursive);
    options_.filesystem.memory = std::move(successor);
    start();
  }

  /// A kernel's request: no two have the same number.
  vfs::Caller caller() { return {.uid = 0, .gid = 0, .pid = 1, .unique = ++unique_}; }
  static KernelNode root() { return KernelNode::of(kRootInode, 0); }

  // Calls, by name in the root directory.
  Result<vfs::CreatedFile> create_file(const std::string& name, int flags = O_RDWR) {
    return fs().create(caller(), root(), name, {.mode = 0644}, flags | O_CREAT);
  }
  HandleId create(const std::string& name, int flags = O_RDWR) { return must(create_file(name, flags)).opened.handle; }
  KernelNode node(const std::string& name) { return must(fs().lookup(root(), name)).node; }
  InodeId inode(const std::string& name) { return node(name).inode(); }
  HandleId open(const std::string& name, int flags = O_RDWR) {
    return must(fs().open(caller(), node(name), flags)).handle;
  }
  Status unlink(const std::string& name) { return fs().unlink(caller(), root(), name); }
  Status rename(const std::string& from, const std::string& to, meta::RenameFlags flags = {}) {
    return fs().rename(caller(), root(), from, root(), to, flags);
  }
  Status link(const std::string& from, const std::string& to) {
    auto linked = fs().link(caller(), node(from), root(), to);
    return linked ? Status() : Status(failure_of(linked));
  }
  bool exists(const std::string& name) { return fs().lookup(root(), name).has_value(); }
  vfs::Attributes stat(const std::string& name) { return must(fs().get_attributes(node(name))); }
  vfs::FileStatus status(const std::string& name) { return must(vfs::file_status(fs(), inode(name))); }

  // Calls, by handle.
  Status write(HandleId handle, uint64_t offset, std::string_view bytes) {
    auto written = fs().write(handle, offset, bytes);
    if (!written) return failure_of(written);
    CHECK(*written == bytes.size());
    return {};
  }
  Result<Bytes> read(HandleId handle, uint64_t offset, size_t count) {
    Bytes bytes(count, '\0');
    auto got = fs().read(handle, offset, std::span<char>(bytes.data(), bytes.size()));
    if (!got) return failure_of(got);
    bytes.resize(*got);
    return bytes;
  }
  Status flush(HandleId handle) { return fs().flush(caller(), handle, 1); }
  void release(HandleId handle) { fs().release(caller(), handle, std::nullopt); }
  Status close(HandleId handle) {
    Status flushed = flush(handle);
    release(handle);
    return flushed;
  }
  Status sync(HandleId handle) {
    return fs().sync(caller(), handle, false, [] { return true; });
  }
  Status truncate(KernelNode node, uint64_t size) {
    vfs::SetAttributes change;
    change.size = size;
    auto changed = fs().set_attributes(caller(), node, change);
    return changed ? Status() : Status(failure_of(changed));
  }
  Status truncate(const std::string& name, uint64_t size) { return truncate(node(name), size); }
  Status allocate(HandleId handle, uint32_t mode, uint64_t offset, uint64_t length) {
    return fs().allocate(caller(), handle, mode, offset, length);
  }

  // Whole files.
  Status put(const std::string& name, std::string_view bytes) {
    HandleId handle = exists(name) ? open(name, O_RDWR | O_TRUNC) : create(name);
    for (size_t offset = 0; offset < bytes.size(); offset += kWriteBytes)
      TRY(write(handle, offset, bytes.substr(offset, kWriteBytes)));
    return close(handle);
  }
  /// All that the handle reads, which must be as long as attributes say.
  Result<Bytes> read_all(HandleId handle) {
    Bytes bytes;
    while (true) {
      ASSIGN_OR_RETURN(Bytes more, read(handle, bytes.size(), kWriteBytes));
      bytes += more;
      if (more.size() < kWriteBytes) return bytes;
    }
  }
  Result<Bytes> get(const std::string& name) {
    HandleId handle = open(name, O_RDONLY);
    auto bytes = read_all(handle);
    release(handle);
    return bytes;
  }

  // What commands do.
  void drain() { ASSERT_EQ(vfs::drain_uploads(fs(), 60'000, {}), 0u); }
  /// Everything that is stored and idle leaves the cache.
  vfs::TreeProgress evict(InodeId top = kRootInode) { return must(vfs::evict_tree(fs(), top, {})); }
  void drain_and_evict() {
    drain();
    vfs::TreeProgress progress = evict();
    ASSERT_EQ(progress.failed, 0u) << progress.last_error;
  }
  meta::CollectReport collect() { return must(vfs::collect(fs(), true, {})); }
  std::vector<std::string> objects() {
    std::vector<std::string> names;
    for (const auto& object : must(plain_store_->list("chunks/", "", limits::kListedObjects)).objects)
      names.push_back(object.name);
    return names;
  }

  template <class T>
  static T must(Result<T> result) {
    if (!result) {
      ADD_FAILURE() << result.error().what;
      CHECK(result.has_value());
    }
    return std::move(result).value();
  }

 private:
  struct Life {
    std::unique_ptr<meta::Volume> volume;
    std::unique_ptr<cache::Cache> cache;
    std::unique_ptr<vfs::Filesystem> filesystem;
  };

  static std::shared_ptr<SharedMemory> copy_of(const SharedMemory& memory) {
    FileDescriptor copy(::memfd_create("copy", MFD_CLOEXEC));
    Bytes bytes(memory.header().total_bytes, '\0');
    CHECK(io::read_at(memory.fd(), bytes.data(), bytes.size(), 0).value() == bytes.size());
    CHECK(io::write_at(copy.get(), bytes, 0).has_value());
    return must(SharedMemory::attach(std::move(copy)));
  }

  std::string death_directory() const { return options_.directory + "/death"; }

  static constexpr size_t kWriteBytes = 1u << 20;
  static constexpr const char* kVolumeId = "00112233445566778899aabbccddeeff";

  void open_engine() {
    if (options_.shared != nullptr) {
      engine_ = options_.around ? std::shared_ptr<kv::Engine>(options_.around(options_.shared->engine))
                                : std::shared_ptr<kv::Engine>(&options_.shared->engine, [](kv::Engine*) {});
      if (options_.node != NodeId{1}) return;
      return format();
    }
    if (!options_.on_disk) {
      engine_ = std::make_shared<kv::MemoryEngine>();
    } else if (auto opened = kv::open_rocksdb(options_.directory + "/meta", false)) {
      engine_ = std::move(*opened);
      return;
    } else {
      engine_ = must(kv::open_rocksdb(options_.directory + "/meta", true));
    }
    format();
  }
  void format() {
    VolumeSettings settings;
    settings.volume_id = kVolumeId;
    settings.incarnation = std::string(32, '2');
    settings.name = "test";
    CHECK(meta::Volume::format(*engine_, settings, 0, 0, clock_));
  }
  void open_store() {
    if (options_.shared != nullptr)
      plain_store_ = std::shared_ptr<object::ObjectStore>(&options_.shared->store, [](object::ObjectStore*) {});
    else if (options_.on_disk)
      plain_store_ = must(object::DirectoryStore::create(options_.directory + "/store", "marker", clock_));
    else
      plain_store_ = std::make_unique<object::MemoryStore>(clock_);
    store_ = std::make_unique<object::FaultyStore>(*plain_store_, clock_, 1);
  }

  TemporaryDirectory temporary_;
  VolumeOptions options_;
  SystemClock clock_;
  SystemRandom random_;
  std::shared_ptr<kv::Engine> engine_;
  std::shared_ptr<object::ObjectStore> plain_store_;
  std::unique_ptr<object::FaultyStore> store_;
  std::unique_ptr<meta::Volume> volume_;
  std::unique_ptr<cache::Cache> cache_;
  std::unique_ptr<vfs::Filesystem> filesystem_;
  std::vector<Life> ended_;
  std::shared_ptr<SharedMemory> death_memory_;
  std::vector<ManifestId> lost_;
  std::atomic<uint64_t> unique_ = 1;
};

}  // namespace weir::testing

/// The call succeeded.
#define EXPECT_DONE(call)                                                                                              \
  do {                                                                                                                 \
    if (const auto& outcome_ = (call); !outcome_.has_value()) ADD_FAILURE() << #call << ": " << outcome_.error().what; \
  } while (false)
/// The call failed with that code.
#define EXPECT_FAILS(expected_code, call)                                       \
  do {                                                                          \
    const auto& outcome_ = (call);                                              \
    EXPECT_FALSE(outcome_.has_value()) << #call;                                \
    if (!outcome_.has_value()) {                                                \
      EXPECT_EQ(outcome_.error().code, expected_code) << outcome_.error().what; \
    }                                                                           \
  } while (false)
