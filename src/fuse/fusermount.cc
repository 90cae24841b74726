#include "fuse/fusermount.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>

namespace weir::fuse::fusermount {

namespace {

constexpr const char* kProgram = "fusermount3";
constexpr int kChildSocket = 3;
constexpr size_t kMessageBytes = 1000;

Result<pid_t> start(std::vector<std::string> arguments, int stderr_fd, int socket_fd) {
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_adddup2(&actions, stderr_fd, STDERR_FILENO);
  if (socket_fd >= 0) ::posix_spawn_file_actions_adddup2(&actions, socket_fd, kChildSocket);

  std::vector<char*> argv;
  for (std::string& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);
  std::string socket_variable = "_FUSE_COMMFD=" + std::to_string(kChildSocket);
  std::vector<char*> environment;
  for (char** variable = environ; *variable != nullptr; ++variable) environment.push_back(*variable);
  environment.push_back(socket_variable.data());
  environment.push_back(nullptr);

  pid_t child = -1;
  const int failed = ::posix_spawnp(&child, kProgram, &actions, nullptr, argv.data(), environment.data());
  ::posix_spawn_file_actions_destroy(&actions);
  if (failed == ENOENT) {
    return error(Code::kNotFound,
                 "only root can mount without the program {}; install the package fuse3, or run this as root",
                 kProgram);
  }
  if (failed != 0) return errno_error(failed, std::string("run ") + kProgram);
  return child;
}

/// What the helper says, without its name in front and line ends behind.
std::string read_complaint(int fd) {
  std::string text(kMessageBytes, '\0');
  size_t size = 0;
  ssize_t got = 0;
  while (size < text.size() && (got = ::read(fd, text.data() + size, text.size() - size)) > 0) {
    size += static_cast<size_t>(got);
  }
  text.resize(size);
  while (!text.empty() && text.back() == '\n') text.pop_back();
  std::replace(text.begin(), text.end(), '\n', ' ');
  return text;
}

Status run(std::vector<std::string> arguments, int socket_fd) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return errno_error(errno, "create a pipe");
  FileDescriptor read_end(ends[0]);
  FileDescriptor write_end(ends[1]);
  ASSIGN_OR_RETURN(const pid_t child, start(std::move(arguments), write_end.get(), socket_fd));
  write_end.reset();
  const std::string complaint = read_complaint(read_end.get());
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return {};
  if (complaint.find("/dev/fuse: Permission denied") != std::string::npos) {
    return error(Code::kAccess,
                 "/dev/fuse is open to root only; run \"chmod 666 /dev/fuse\" as root, or mount as root");
  }
  if (complaint.find("/dev/fuse: No such") != std::string::npos) {
    return error(Code::kNotFound, "there is no /dev/fuse; load the kernel's module with \"modprobe fuse\" as root");
  }
  if (complaint.find("busy") != std::string::npos) return error(Code::kBusy, "{}", complaint);
  return error(Code::kIo, "{}", complaint.empty() ? std::string(kProgram) + " failed without saying why" : complaint);
}

Result<FileDescriptor> receive_descriptor(int socket_fd) {
  char byte = 0;
  iovec piece{&byte, 1};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
  msghdr message{};
  message.msg_iov = &piece;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof(control);
  ssize_t got = 0;
  while ((got = ::recvmsg(socket_fd, &message, MSG_CMSG_CLOEXEC)) < 0 && errno == EINTR) {
  }
  const cmsghdr* header = got > 0 ? CMSG_FIRSTHDR(&message) : nullptr;
  if (header == nullptr || header->cmsg_type != SCM_RIGHTS || header->cmsg_len != CMSG_LEN(sizeof(int))) {
    return error(Code::kIo, "{} mounted but did not pass the descriptor on", kProgram);
  }
  int fd = -1;
  std::memcpy(&fd, CMSG_DATA(header), sizeof(fd));
  return FileDescriptor(fd);
}

}  // namespace

std::string escape_option(const std::string& value) {
  std::string escaped;
  for (char character : value) {
    if (character == ',' || character == '\\') escaped.push_back('\\');
    escaped.push_back(character);
  }
  return escaped;
}

bool user_allow_other(const std::string& configuration_path) {
  std::ifstream file(configuration_path);
  std::string line;
  while (std::getline(file, line)) {
    line.erase(0, line.find_first_not_of(" \t"));
    line.erase(line.find_last_not_of(" \t\r") + 1);
    if (line == "user_allow_other") return true;
  }
  return false;
}

Result<FileDescriptor> mount(const std::string& mount_point, const std::string& options) {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
    return errno_error(errno, "create a socket pair");
  FileDescriptor ours(ends[0]);
  // The child's end must not be the number it is moved to, or it would keep its close-on-exec flag.
  FileDescriptor theirs(::fcntl(ends[1], F_DUPFD_CLOEXEC, kChildSocket + 1));
  ::close(ends[1]);
  TRY(run({kProgram, "-o", options, "--", mount_point}, theirs.get()));
  theirs.reset();
  return receive_descriptor(ours.get());
}

Status unmount(const std::string& mount_point, bool lazy) {
  std::vector<std::string> arguments = {kProgram, "-u"};
  if (lazy) arguments.push_back("-z");
  arguments.push_back("--");
  arguments.push_back(mount_point);
  return run(std::move(arguments), -1);
}

}  // namespace weir::fuse::fusermount
