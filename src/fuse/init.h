#pragma once

#include <cstdint>

#include "base/limits.h"
#include "base/result.h"
#include "fuse/protocol.h"

namespace weir::fuse {

/// What we want of the kernel; what it does not offer is left out. Not FUSE_ATOMIC_O_TRUNC: with it, pages stored
/// through a mapping are written back while OPEN truncates, and the emptied file has its old end again.
inline constexpr uint64_t kWantedFlags = FUSE_ASYNC_READ | FUSE_POSIX_LOCKS | FUSE_FLOCK_LOCKS | FUSE_BIG_WRITES |
                                         FUSE_DONT_MASK | FUSE_DO_READDIRPLUS | FUSE_ASYNC_DIO | FUSE_PARALLEL_DIROPS |
                                         FUSE_POSIX_ACL | FUSE_MAX_PAGES | FUSE_CACHE_SYMLINKS |
                                         FUSE_NO_OPENDIR_SUPPORT | FUSE_EXPLICIT_INVAL_DATA | FUSE_SETXATTR_EXT |
                                         FUSE_INIT_EXT | kInitHasExpireOnly | kInitDirectIoAllowMmap;

struct InitOptions {
  uint64_t wanted = kWantedFlags;
  uint32_t max_write = limits::kFuseIoBytes;
  uint32_t max_readahead = limits::kFuseReadAheadBytes;
  uint16_t max_pages = limits::kFusePagesMax;
  uint16_t max_background = limits::kFuseBackgroundMax;
  /// Filesystems that may lie between us and a backing file, 1 or 2; only with kInitPassthrough in `wanted`.
  uint32_t max_stack_depth = 0;
};

/// What was agreed, and what the kernel could have done.
struct Negotiated {
  uint32_t kernel_minor = 0;
  uint32_t minor = 0;
  uint64_t offered = 0;
  uint64_t flags = 0;
  uint32_t max_write = 0;
  uint32_t max_readahead = 0;

  bool has(uint64_t flag) const { return (flags & flag) != 0; }
};

struct InitAnswer {
  Negotiated negotiated;
  InitOut out{};
};

/// Unsupported with a sentence when the kernel is too old, Invalid when `body` is not an INIT body. Pure.
Result<InitAnswer> negotiate(std::string_view body, const InitOptions& options);

}  // namespace weir::fuse
