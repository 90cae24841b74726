// The kernel's list of mounts, in which users name mount points as they like.
#include "fuse/mount_info.h"

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/check.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const auto mounts = weir::fuse::parse_mount_info(input);
  for (const auto& mount : mounts) {
    const std::string path = weir::fuse::lexically_absolute("/" + mount.mount_point);
    CHECK(path.starts_with('/'));
    CHECK(path == weir::fuse::lexically_absolute(path));
    (void)weir::fuse::covering_mount(mounts, path);
  }
  return 0;
}
