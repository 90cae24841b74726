#pragma once

#include <gtest/gtest.h>
#include <sys/statvfs.h>

#include <cstdlib>
#include <string>
#include <utility>
#include <vector>

#include "cache/cache.h"
#include "cache/layout.h"
#include "cache/test_contents.h"
#include "testing/fake_clock.h"
#include "testing/temporary_directory.h"

namespace weir::cache::testing {

/// Most tests here are about what follows what; a filesystem in memory, if there is one with room, spares them the wait
/// for a busy disk. Returns where temporary directories go.
inline std::string use_memory_for_files() {
  struct statvfs memory {};
  const char* chosen = std::getenv("TMPDIR");
  if (chosen != nullptr) return chosen;
  if (::statvfs("/dev/shm", &memory) != 0 || memory.f_bavail * memory.f_frsize < (uint64_t{1} << 30)) return "/tmp";
  ::setenv("TMPDIR", "/dev/shm", 0);
  return "/dev/shm";
}

/// A cache in a directory of its own that a test may close and open again, also as after a power loss.
class CacheTest : public ::testing::Test {
 protected:
  CacheTest() {
    options_.directory = directory_.file("cache");
    options_.volume_id = "00112233445566778899aabbccddeeff";
    options_.reserve_bytes = 1;
    options_.boot_id = [this]() -> Result<std::string> { return boot_id_; };
  }

  void open() {
    auto opened = Cache::open(options_, clock_, [this](const ManifestId& image, const std::vector<ChunkId>& chunks) {
      lost_.emplace_back(image, chunks);
    });
    ASSERT_TRUE(opened) << opened.error().what;
    cache_ = std::move(*opened);
  }
  void SetUp() override { open(); }
  void reopen() {
    cache_.reset();
    open();
  }
  /// The machine starts anew. What the disk lost, the test destroys itself before this call.
  void reopen_after_power_loss() {
    cache_.reset();
    boot_id_ += "+1";
    open();
    ASSERT_TRUE(cache_->lost_power());
    ASSERT_TRUE(cache_->end_recovery());
  }

  const std::string files_ = use_memory_for_files();
  weir::testing::TemporaryDirectory directory_;
  weir::testing::FakeClock clock_;
  std::string boot_id_ = "first";
  Options options_;
  std::vector<std::pair<ManifestId, std::vector<ChunkId>>> lost_;
  Layout layout_{directory_.file("cache")};
  std::unique_ptr<Cache> cache_;
};

}  // namespace weir::cache::testing
