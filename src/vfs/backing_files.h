#pragma once

#include <cstdint>

#include "base/result.h"

namespace weir::vfs {

/// Files that the kernel reads and maps by itself, without asking us (FUSE passthrough). Implemented over the channel
/// (fuse/), absent without a kernel that can. Thread-safe; never blocks for long.
class BackingFiles {
 public:
  virtual ~BackingFiles() = default;
  /// Tells the kernel of an open file, which need not stay open here; the id is what it is called from now on.
  virtual Result<int32_t> open(int fd) = 0;
  /// The id is over; descriptors that were opened with it go on.
  virtual void close(int32_t id) = 0;
};

}  // namespace weir::vfs
