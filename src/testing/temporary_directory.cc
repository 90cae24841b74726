#include "testing/temporary_directory.h"

#include <fmt/format.h>
#include <sys/mount.h>

#include <cstdlib>
#include <filesystem>
#include <utility>

#include "base/check.h"

namespace weir::testing {

TemporaryDirectory::TemporaryDirectory() {
  const char* parent = std::getenv("TMPDIR");
  path_ = fmt::format("{}/weir-test-XXXXXX", parent != nullptr ? parent : "/tmp");
  CHECK(::mkdtemp(path_.data()) != nullptr);
}

TemporaryDirectory::~TemporaryDirectory() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

SmallDisk::SmallDisk(std::string path, size_t bytes) : path_(std::move(path)) {
  mounted_ = ::mount("weir-test", path_.c_str(), "tmpfs", 0, fmt::format("size={}", bytes).c_str()) == 0;
}

void SmallDisk::unmount() {
  if (std::exchange(mounted_, false)) ::umount2(path_.c_str(), MNT_DETACH);
}

}  // namespace weir::testing
