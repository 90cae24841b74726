#include "cache/space.h"

#include <sys/statvfs.h>

#include <algorithm>
#include <cerrno>

#include "base/limits.h"

namespace weir::cache {

Result<DiskSpace> disk_space(int fd) {
  struct statvfs disk {};
  if (::fstatvfs(fd, &disk) != 0) return errno_error(errno, "look at the free space of the cache's disk");
  return DiskSpace{disk.f_blocks * disk.f_frsize, disk.f_bavail * disk.f_frsize};
}

Result<std::unique_ptr<Space>> Space::open(int directory_fd, uint64_t reserve_bytes, MakeRoom make_room,
                                           Unwritten unwritten) {
  ASSIGN_OR_RETURN(DiskSpace disk, disk_space(directory_fd));
  if (reserve_bytes == 0) reserve_bytes = std::min(disk.total_bytes / 20, limits::kCacheReserveBytesMax);
  uint64_t margin = std::min(disk.total_bytes / 50, limits::kCacheMarginBytesMax);
  return std::unique_ptr<Space>(
      new Space(directory_fd, reserve_bytes, margin, std::move(make_room), std::move(unwritten)));
}

Space::Space(int directory_fd, uint64_t reserve_bytes, uint64_t margin_bytes, MakeRoom make_room, Unwritten unwritten)
    : directory_fd_(directory_fd),
      reserve_bytes_(reserve_bytes),
      margin_bytes_(margin_bytes),
      make_room_(std::move(make_room)),
      unwritten_(std::move(unwritten)) {}

Result<uint64_t> Space::look() const {
  ASSIGN_OR_RETURN(DiskSpace disk, disk_space(directory_fd_));
  const uint64_t unwritten = unwritten_();
  return disk.free_bytes > unwritten ? disk.free_bytes - unwritten : 0;
}

Status Space::admit(uint64_t bytes) {
  const auto wanted = static_cast<int64_t>(bytes);
  if (granted_.fetch_sub(wanted) >= wanted) return {};
  return refill(bytes);
}

Status Space::refill(uint64_t bytes) {
  MutexLock lock(refill_mutex_);
  const auto wanted = static_cast<int64_t>(bytes);
  // Another writer may have filled it up while this one waited.
  if (granted_.load() >= wanted && granted_.fetch_sub(wanted) >= wanted) return {};
  for (bool made_room = false;; made_room = true) {
    ASSIGN_OR_RETURN(uint64_t free_now, look());
    if (free_now >= reserve_bytes_ + bytes) {
      const auto rest = static_cast<int64_t>(free_now - reserve_bytes_ - bytes);
      granted_ = std::min(limits::kCacheGrantBytes, rest);
      return {};
    }
    granted_ = 0;
    const uint64_t missing = reserve_bytes_ + bytes - free_now;
    if (made_room || make_room_(missing + margin_bytes_) == 0)
      return error(Code::kNoSpace, "the cache's disk has {} bytes free, and {} are kept in reserve", free_now,
                   reserve_bytes_);
  }
}

bool Space::make_room_after_failure(uint64_t bytes) {
  MutexLock lock(refill_mutex_);
  granted_ = 0;
  return make_room_(bytes + margin_bytes_) > 0;
}

Result<uint64_t> Space::shortage() const {
  ASSIGN_OR_RETURN(uint64_t free_now, look());
  const uint64_t wanted = reserve_bytes_ + margin_bytes_;
  return free_now < wanted ? wanted - free_now : 0;
}

}  // namespace weir::cache
