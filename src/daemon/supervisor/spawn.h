#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "base/file_descriptor.h"
#include "base/result.h"

namespace weir {

/// The program that runs: also when its file was replaced since.
inline constexpr const char* kThisProgram = "/proc/self/exe";
/// How it is told to be one of the two processes of a mount; not for people.
inline constexpr const char* kDaemonMode = "serve-mount";
inline constexpr const char* kSupervisorMode = "supervise-mount";
/// The descriptor that such a process finds its socket at.
inline constexpr int kInheritedSocket = 3;

/// Starts `binary` in a session of its own with `socket` as descriptor kInheritedSocket, and no other but the standard
/// streams. `mount_point` is for those who list processes. Any thread.
Result<pid_t> spawn(const std::string& binary, const char* mode, const std::string& mount_point, int socket);
/// The same in place of this process; returns only with the error.
Error replace_process(const std::string& binary, const char* mode, const std::string& mount_point, int socket);

/// Readable when the process has ended.
Result<FileDescriptor> open_process(pid_t pid);

}  // namespace weir
