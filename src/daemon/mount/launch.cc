#include "daemon/mount/launch.h"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "base/io.h"
#include "base/limits.h"
#include "base/log.h"
#include "daemon/control/line_socket.h"
#include "daemon/control/message.h"
#include "daemon/daemon.h"
#include "daemon/mount/service_notify.h"
#include "fuse/mount.h"

namespace weir {

namespace {

void raise_file_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

/// Common to both ways of running: nothing that the starter left behind matters to the daemon.
void become_daemon() {
  ::umask(077);
  if (::chdir("/") != 0) log::warning("cannot change to /: {}", std::strerror(errno));
  ::signal(SIGPIPE, SIG_IGN);
  raise_file_limit();
  ::prctl(PR_SET_NAME, "weir");
}

/// A descriptor that a script left open would otherwise stay open as long as the volume is mounted.
void close_inherited(int except) {
  if (except > 3) ::close_range(3, static_cast<unsigned>(except) - 1, 0);
  ::close_range(static_cast<unsigned>(except) + 1, ~0u, 0);
}

Status direct_output_to(const std::string& log_file) {
  TRY(io::make_directories(std::filesystem::path(log_file).parent_path(), 0700));
  ASSIGN_OR_RETURN(FileDescriptor null, io::open_file("/dev/null", O_RDONLY));
  ASSIGN_OR_RETURN(FileDescriptor file, io::open_file(log_file, O_WRONLY | O_CREAT | O_APPEND, 0600));
  if (!log::set_file(log_file)) return error(Code::kIo, "cannot write log file {}", log_file);
  // What libraries and a failing CHECK print shall not get lost.
  if (::dup2(null.get(), 0) < 0 || ::dup2(file.get(), 1) < 0 || ::dup2(file.get(), 2) < 0)
    return errno_error(errno, "redirect the standard streams");
  return {};
}

Json describe(const Daemon& daemon) {
  Json json;
  json["pid"] = static_cast<uint64_t>(::getpid());
  json["mount_point"] = daemon.mount_point();
  return json;
}

[[noreturn]] void run_child(const MountConfig& config, LineSocket parent) {
  ::setsid();
  close_inherited(parent.fd());
  become_daemon();
  auto tell = [&](const std::string& line) { (void)parent.write_line(line, limits::kControlSendMs); };
  if (Status directed = direct_output_to(config.log_file); !directed) {
    tell(error_line(directed.error()));
    ::_exit(1);
  }
  auto daemon = Daemon::start(config, {.hangup_ends = false});
  if (!daemon) {
    log::error("{}", daemon.error().what);
    tell(error_line(daemon.error()));
    ::_exit(1);
  }
  tell(result_line(describe(**daemon)));
  { LineSocket closed = std::move(parent); }
  (*daemon)->serve();
  daemon->reset();
  ::exit(0);
}

/// How a child ended that said nothing.
std::string end_of(pid_t child) {
  int status = 0;
  if (::waitpid(child, &status, 0) != child) return "is gone";
  if (WIFSIGNALED(status)) return fmt::format("was killed by signal {}", WTERMSIG(status));
  return fmt::format("ended with exit code {}", WEXITSTATUS(status));
}

Result<Launched> await_child(pid_t child, LineSocket& socket, const MountConfig& config) {
  ASSIGN_OR_RETURN(std::optional<std::string> line, socket.read_line(-1));
  if (!line) return error(Code::kInternal, "the daemon {} while it started; see {}", end_of(child), config.log_file);
  ASSIGN_OR_RETURN(Reply reply, parse_reply(*line));
  if (reply.kind == Reply::Kind::kError) {
    ::waitpid(child, nullptr, 0);
    return error(reply.error.code, "{}", reply.error.what);
  }
  ASSIGN_OR_RETURN(Json body, parse_json_object(reply.body, "the daemon's answer"));
  Launched launched{static_cast<int64_t>(json_number(body, "pid").value_or(0)),
                    json_text(body, "mount_point").value_or("")};
  if (fuse::probe_mount(launched.mount_point, limits::kMountProbeMs) != fuse::MountLife::kAlive)
    return error(Code::kTimeout, "the daemon runs as process {}, but the mount at {} does not answer; see {}",
                 launched.pid, launched.mount_point, config.log_file);
  return launched;
}

}  // namespace

Result<Launched> launch_in_background(const MountConfig& config) {
  int fds[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) != 0) return errno_error(errno, "create a socket pair");
  FileDescriptor ours(fds[0]);
  FileDescriptor theirs(fds[1]);
  pid_t child = ::fork();
  if (child < 0) return errno_error(errno, "start the daemon");
  if (child == 0) {
    ours.reset();
    run_child(config, LineSocket(std::move(theirs), limits::kControlReplyBytes));
  }
  theirs.reset();
  LineSocket socket(std::move(ours), limits::kControlReplyBytes);
  return await_child(child, socket, config);
}

Status run_in_foreground(const MountConfig& config) {
  become_daemon();
  if (!config.log_file.empty() && !log::set_file(config.log_file))
    return error(Code::kIo, "cannot write log file {}", config.log_file);
  ASSIGN_OR_RETURN(std::unique_ptr<Daemon> daemon, Daemon::start(config, {.hangup_ends = true}));
  notify_service_manager("READY=1");
  daemon->serve();
  notify_service_manager("STOPPING=1");
  return {};
}

}  // namespace weir
