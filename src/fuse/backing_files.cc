#include "fuse/backing_files.h"

#include <sys/ioctl.h>

#include <cerrno>

#include "base/log.h"

namespace weir::fuse {

Result<int32_t> KernelBackingFiles::open(int fd) {
  BackingMap map{fd, 0, 0};
  const int id = ::ioctl(port_->device(0), kBackingOpen, &map);
  if (id > 0) return id;
  if (errno == ELOOP)
    return error(Code::kUnsupported,
                 "the cache lies on a stacked filesystem such as overlayfs; put it on a plain disk");
  return errno_error(errno, "give a file to the kernel");
}

void KernelBackingFiles::close(int32_t id) {
  uint32_t number = static_cast<uint32_t>(id);
  if (::ioctl(port_->device(0), kBackingClose, &number) != 0)
    log::warning("the kernel does not let go of backing file {}: error {}", id, errno);
}

}  // namespace weir::fuse
