#include "daemon/doctor/places.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/statfs.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>

#include "base/clock.h"
#include "base/hex.h"
#include "base/io.h"
#include "base/random.h"
#include "base/size_text.h"
#include "object/open_store.h"

namespace weir {

namespace {

using Level = Finding::Level;

constexpr size_t kTestBytes = 16u << 20;
constexpr uint64_t kFreeBytesWanted = uint64_t{10} << 30;
constexpr uint64_t kSlowBytesPerSecond = 200u << 20;
constexpr int64_t kClockSkewMs = 5000;
constexpr long kXfsMagic = 0x58465342;

std::string nearest_existing(const std::string& directory) {
  std::filesystem::path path(directory);
  std::error_code failure;
  while (!std::filesystem::is_directory(path, failure) && path.has_relative_path()) path = path.parent_path();
  return path;
}

Finding filesystem_of(const struct statfs& disk) {
  switch (static_cast<long>(disk.f_type)) {
    case EXT4_SUPER_MAGIC: return {Level::kOk, "cache_filesystem", "the cache is on ext4"};
    case kXfsMagic: return {Level::kOk, "cache_filesystem", "the cache is on xfs"};
    case BTRFS_SUPER_MAGIC: return {Level::kOk, "cache_filesystem", "the cache is on btrfs"};
    case TMPFS_MAGIC:
      return {Level::kWarning, "cache_filesystem",
              "the cache is on a tmpfs; what is not stored is lost when the machine restarts, so choose a disk with "
              "--cache-dir"};
    case OVERLAYFS_SUPER_MAGIC:
      return {Level::kWarning, "cache_filesystem",
              "the cache is on an overlay, as of a container; put it on a disk with --cache-dir"};
    case NFS_SUPER_MAGIC:
      return {Level::kFailure, "cache_filesystem", "the cache is on NFS; choose a local disk with --cache-dir"};
    case FUSE_SUPER_MAGIC:
      return {Level::kFailure, "cache_filesystem",
              "the cache is on a FUSE filesystem; choose a local disk with --cache-dir"};
    default:
      return {Level::kInfo, "cache_filesystem",
              fmt::format("the cache is on a filesystem of type {:#x}", static_cast<unsigned long>(disk.f_type))};
  }
}

Finding free_space_of(const struct statfs& disk) {
  uint64_t free = static_cast<uint64_t>(disk.f_bavail) * static_cast<uint64_t>(disk.f_bsize);
  if (free < kFreeBytesWanted)
    return {Level::kWarning, "cache_space",
            fmt::format("the cache's disk has only {} free; writing stops when its reserve is reached",
                        format_bytes(free))};
  return {Level::kOk, "cache_space", fmt::format("the cache's disk has {} free", format_bytes(free))};
}

/// Bytes a second that reach the disk. The file has no name, so nothing stays behind whatever happens.
Result<uint64_t> write_speed(const std::string& directory) {
  SystemClock clock;
  ASSIGN_OR_RETURN(FileDescriptor file, io::open_file(directory, O_TMPFILE | O_RDWR));
  std::string bytes = SystemRandom().bytes(1u << 20);
  int64_t begin_ns = clock.monotonic_ns();
  for (size_t offset = 0; offset < kTestBytes; offset += bytes.size()) TRY(io::write_at(file.get(), bytes, offset));
  TRY(io::sync_data(file.get(), directory));
  int64_t took_ns = std::max<int64_t>(1, clock.monotonic_ns() - begin_ns);
  return kTestBytes * 1'000'000'000 / static_cast<uint64_t>(took_ns);
}

Finding speed_of(const std::string& directory) {
  auto speed = write_speed(directory);
  if (!speed)
    return {Level::kFailure, "cache_writable",
            fmt::format("the cache's disk cannot be written to: {}", speed.error().what)};
  std::string text = fmt::format("{} a second", format_bytes(*speed));
  if (*speed < kSlowBytesPerSecond)
    return {Level::kInfo, "cache_speed",
            fmt::format("the cache's disk took {}; an NVMe disk takes ten times as much", text)};
  return {Level::kOk, "cache_speed", fmt::format("the cache's disk took {}", text)};
}

Finding store_failure(const std::string& action, const Error& error) {
  return {Level::kFailure, "store", fmt::format("the object store fails to {}: {}", action, error.what)};
}

}  // namespace

Findings check_cache_disk(const std::string& directory) {
  std::string existing = nearest_existing(directory);
  struct statfs disk {};
  if (::statfs(existing.c_str(), &disk) != 0)
    return {{Level::kFailure, "cache_filesystem",
             fmt::format("the cache's disk at {} cannot be looked at: {}", existing, std::strerror(errno))}};
  return {filesystem_of(disk), free_space_of(disk), speed_of(existing)};
}

Findings check_store(const std::string& store_url, const std::string& marker) {
  SystemClock clock;
  auto store = object::open_store(store_url, marker, clock);
  if (!store) return {store_failure("open", store.error())};
  std::string name = fmt::format("doctor/{}", to_hex(SystemRandom().bytes(16)));
  std::string bytes = SystemRandom().bytes(4096);
  int64_t begin_ns = clock.monotonic_ns();
  if (Status put = (*store)->put(name, bytes); !put) return {store_failure("take an object", put.error())};
  int64_t took_ms = (clock.monotonic_ns() - begin_ns) / 1'000'000;
  auto info = (*store)->head(name);
  auto back = (*store)->get(name, 0, bytes.size());
  if (Status removed = (*store)->remove(name); !removed) return {store_failure("remove an object", removed.error())};
  if (!back) return {store_failure("give an object back", back.error())};
  if (*back != bytes)
    return {{Level::kFailure, "store", "the object store gives back other bytes than it was given; do not use it"}};

  Findings findings{{Level::kOk, "store",
                     fmt::format("{} takes, gives and removes objects (put in {} ms)", (*store)->describe(), took_ms)}};
  if (info && *info) {
    int64_t skew_ms = std::abs((*info)->modified_ns - clock.realtime_ns()) / 1'000'000;
    if (skew_ms > kClockSkewMs)
      findings.push_back(
          {Level::kWarning, "clock_skew",
           fmt::format("the clocks of this machine and of the store are {} s apart; set them", skew_ms / 1000)});
  }
  return findings;
}

}  // namespace weir
