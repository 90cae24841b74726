#pragma once

#include <string>
#include <vector>

#include "base/file_descriptor.h"
#include "base/result.h"

/// The setuid helper of the fuse3 package, which mounts for users who are not root.
namespace weir::fuse::fusermount {

/// Mounts; the helper opens /dev/fuse and passes the descriptor back. NotFound when the package is not installed.
/// Blocks: until the helper has ended.
Result<FileDescriptor> mount(const std::string& mount_point, const std::string& options);
Status unmount(const std::string& mount_point, bool lazy);

/// A value for a mount option, with what separates options escaped.
std::string escape_option(const std::string& value);

/// Whether the administrator lets ordinary users pass allow_other: the line "user_allow_other" in that file.
bool user_allow_other(const std::string& configuration_path = "/etc/fuse.conf");

}  // namespace weir::fuse::fusermount
