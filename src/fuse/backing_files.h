#pragma once

#include <memory>

#include "fuse/reply_port.h"
#include "vfs/backing_files.h"

namespace weir::fuse {

/// Passthrough of one mounted volume: ioctls on its device. Needs CAP_SYS_ADMIN, and kInitPassthrough negotiated.
class KernelBackingFiles : public vfs::BackingFiles {
 public:
  explicit KernelBackingFiles(std::shared_ptr<ReplyPort> port) : port_(std::move(port)) {}
  Result<int32_t> open(int fd) override;
  void close(int32_t id) override;

 private:
  const std::shared_ptr<ReplyPort> port_;
};

}  // namespace weir::fuse
