#include "bench/place/command.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>

#include "base/file_descriptor.h"
#include "base/io.h"

extern char** environ;

namespace weir::bench {

namespace {

constexpr size_t kShownBytes = 2000;

/// What a program writes goes to a file without a name, so that no pipe can fill up.
Result<FileDescriptor> scratch_file() {
  FileDescriptor fd(::open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
  if (!fd.valid()) return errno_error(errno, "make a temporary file");
  return fd;
}

Result<std::string> content(const FileDescriptor& fd) {
  ASSIGN_OR_RETURN(const uint64_t size, io::file_size(fd.get()));
  std::string text(size, '\0');
  ASSIGN_OR_RETURN(const size_t count, io::read_at(fd.get(), text.data(), size, 0));
  text.resize(count);
  return text;
}

std::string joined(const Command& command) { return fmt::format("{}", fmt::join(command, " ")); }

Result<pid_t> spawn(const Command& command, const std::string& directory, int out, int err, short flags = 0) {
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  if (!directory.empty()) ::posix_spawn_file_actions_addchdir_np(&actions, directory.c_str());
  if (out >= 0) ::posix_spawn_file_actions_adddup2(&actions, out, 1);
  if (err >= 0) ::posix_spawn_file_actions_adddup2(&actions, err, 2);
  posix_spawnattr_t attributes;
  ::posix_spawnattr_init(&attributes);
  ::posix_spawnattr_setflags(&attributes, flags);
  std::vector<char*> arguments;
  for (const std::string& argument : command) arguments.push_back(const_cast<char*>(argument.c_str()));
  arguments.push_back(nullptr);
  pid_t process = 0;
  const int failure = ::posix_spawnp(&process, arguments[0], &actions, &attributes, arguments.data(), environ);
  ::posix_spawnattr_destroy(&attributes);
  ::posix_spawn_file_actions_destroy(&actions);
  if (failure != 0) return errno_error(failure, "run " + joined(command));
  return process;
}

}  // namespace

Result<std::string> output_of(const Command& command, const std::string& directory) {
  ASSIGN_OR_RETURN(const FileDescriptor out, scratch_file());
  ASSIGN_OR_RETURN(const FileDescriptor err, scratch_file());
  ASSIGN_OR_RETURN(const pid_t process, spawn(command, directory, out.get(), err.get()));
  int ended = 0;
  while (::waitpid(process, &ended, 0) < 0)
    if (errno != EINTR) return errno_error(errno, "wait for " + joined(command));
  if (!WIFEXITED(ended) || WEXITSTATUS(ended) != 0) {
    ASSIGN_OR_RETURN(std::string said, content(err));
    if (said.size() > kShownBytes) said = said.substr(said.size() - kShownBytes);
    return error(Code::kIo, "{} failed: {}", joined(command), said);
  }
  return content(out);
}

Status run(const Command& command, const std::string& directory) {
  TRY(output_of(command, directory));
  return {};
}

Result<pid_t> start(const Command& command) { return spawn(command, "", -1, -1, POSIX_SPAWN_SETSID); }

void stop(pid_t process) {
  ::kill(process, SIGTERM);
  int ended = 0;
  while (::waitpid(process, &ended, 0) < 0 && errno == EINTR) continue;
}

}  // namespace weir::bench
