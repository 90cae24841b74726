#include "daemon/supervisor/spawn.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>

extern char** environ;

namespace weir {

namespace {

constexpr const char* kName = "weir";

/// posix_spawn's lists, freed when done.
struct SpawnPlan {
  SpawnPlan() {
    ::posix_spawn_file_actions_init(&actions);
    ::posix_spawnattr_init(&attributes);
  }
  ~SpawnPlan() {
    ::posix_spawn_file_actions_destroy(&actions);
    ::posix_spawnattr_destroy(&attributes);
  }
  SpawnPlan(const SpawnPlan&) = delete;
  SpawnPlan& operator=(const SpawnPlan&) = delete;

  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
};

}  // namespace

Result<pid_t> spawn(const std::string& binary, const char* mode, const std::string& mount_point, int socket) {
  SpawnPlan plan;
  sigset_t none;
  sigset_t usual;
  sigemptyset(&none);
  sigemptyset(&usual);
  sigaddset(&usual, SIGPIPE);
  sigaddset(&usual, SIGHUP);
  ::posix_spawnattr_setflags(&plan.attributes, POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  ::posix_spawnattr_setsigmask(&plan.attributes, &none);
  ::posix_spawnattr_setsigdefault(&plan.attributes, &usual);
  ::posix_spawn_file_actions_adddup2(&plan.actions, socket, kInheritedSocket);
  std::string place = mount_point;
  char* arguments[] = {const_cast<char*>(kName), const_cast<char*>(mode), place.data(), nullptr};
  pid_t pid = 0;
  if (int failure = ::posix_spawn(&pid, binary.c_str(), &plan.actions, &plan.attributes, arguments, environ);
      failure != 0)
    return errno_error(failure, fmt::format("start {}", binary));
  return pid;
}

Error replace_process(const std::string& binary, const char* mode, const std::string& mount_point, int socket) {
  if (::dup2(socket, kInheritedSocket) < 0) return errno_error(errno, "pass a descriptor on").value();
  ::fcntl(kInheritedSocket, F_SETFD, 0);
  ::execl(binary.c_str(), kName, mode, mount_point.c_str(), nullptr);
  return Error{code_of_errno(errno), fmt::format("start {}: {}", binary, errno)};
}

Result<FileDescriptor> open_process(pid_t pid) {
  FileDescriptor process(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  if (!process.valid()) return errno_error(errno, fmt::format("watch process {}", pid));
  return process;
}

}  // namespace weir
