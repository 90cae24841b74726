#include "fuse/device.h"

#include <fcntl.h>
#include <sys/ioctl.h>

#include <algorithm>
#include <cerrno>
#include <thread>

#include "base/check.h"
#include "base/limits.h"
#include "fuse/protocol.h"

namespace weir::fuse {

namespace {

FileDescriptor clone_device(int device) {
  FileDescriptor clone(::open("/dev/fuse", O_RDWR | O_CLOEXEC | O_NONBLOCK));
  auto source = static_cast<uint32_t>(device);
  if (clone.valid() && ::ioctl(clone.get(), FUSE_DEV_IOC_CLONE, &source) == 0) return clone;
  return FileDescriptor();
}

}  // namespace

int default_workers() { return std::clamp(2 * static_cast<int>(std::thread::hardware_concurrency()), 8, 16); }

Result<std::vector<FileDescriptor>> open_devices(FileDescriptor device, int workers) {
  CHECK(workers >= 1 && workers <= limits::kFuseWorkersMax);
  const int flags = ::fcntl(device.get(), F_GETFL);
  if (flags < 0 || ::fcntl(device.get(), F_SETFL, flags | O_NONBLOCK) != 0) {
    return errno_error(errno, "prepare the FUSE device");
  }
  ::fcntl(device.get(), F_SETFD, FD_CLOEXEC);
  std::vector<FileDescriptor> devices;
  devices.push_back(std::move(device));
  while (devices.size() < static_cast<size_t>(workers)) {
    FileDescriptor next = clone_device(devices.front().get());
    if (!next.valid()) next.reset(::fcntl(devices.front().get(), F_DUPFD_CLOEXEC, 3));
    if (!next.valid()) return errno_error(errno, "duplicate the FUSE device");
    devices.push_back(std::move(next));
  }
  return devices;
}

}  // namespace weir::fuse
