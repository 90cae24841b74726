#pragma once

#include <vector>

#include "base/file_descriptor.h"
#include "base/result.h"

namespace weir::fuse {

/// Workers for this machine: two a core, from 8 to 16. More than cores, because operations wait for the engine and the
/// disk.
int default_workers();

/// One descriptor a worker, the first being `device` itself (an open /dev/fuse of a mounted volume, or a fake kernel's
/// socket): clones of the connection, so that workers do not share a queue of requests in flight; where the device
/// cannot be cloned, duplicates. All are non-blocking and close on exec.
Result<std::vector<FileDescriptor>> open_devices(FileDescriptor device, int workers);

}  // namespace weir::fuse
