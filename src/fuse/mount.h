#pragma once

#include <string>

#include "base/file_descriptor.h"
#include "base/result.h"
#include "fuse/mount_info.h"

namespace weir::fuse {

struct MountOptions {
  std::string mount_point;
  std::string volume;  // shown as the source of the mount
  /// Other users may use it; the kernel checks permissions in any case.
  bool allow_other = true;
  bool read_only = false;
  /// Files below the mount point would be hidden; NotEmpty unless this is set.
  bool over_files = false;
};

/// Mounts and returns the descriptor to talk to the kernel through, which wants its INIT answered soon. With mount(2)
/// as root, otherwise with fusermount3. A dead mount of Weir at the place, left by a daemon that was killed, is cleaned
/// away first. Every error is a sentence a user can act on. Blocks: shortly; up to 3 s when the mount point is a mount
/// of Weir that does not answer.
Result<FileDescriptor> mount(const MountOptions& options);

enum class UnmountMode {
  kClean,  // Busy while files are open
  kLazy,   // the name goes now, the mount when its last file is closed
  kForce,  // as kLazy, and all requests end with ECONNABORTED: the last resort for a daemon that hangs (root only)
};

/// Unmounts the mount of Weir at `mount_point`. NotFound when there is none.
/// Blocks: until the kernel is done; unpublished writes are flushed by then.
Status unmount(const std::string& mount_point, UnmountMode mode);

enum class MountLife { kNone, kAlive, kDead, kSilent };

/// What is mounted by Weir exactly at `mount_point`: nothing, a mount that answers, one whose daemon is gone, or one
/// that does not answer within `timeout_ms`. Blocks: up to that long.
MountLife probe_mount(const std::string& mount_point, int timeout_ms);

/// Lets the kernel read ahead as far as one request goes (1 MiB instead of 128 KiB). Call it after INIT was answered,
/// which sets it anew. False when that is not permitted; then reads are only slower.
bool raise_read_ahead(const std::string& mount_point);

}  // namespace weir::fuse
