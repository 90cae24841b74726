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
  ::signal(SIGIO, SIG_IGN);  // somebody opens a file while its users are looked for
  raise_file_limit();
  ::prctl(PR_SET_NAME, "weir");
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

/// Prepares, which says whether a volume was created, and starts.
Result<std::unique_ptr<Daemon>> start(const MountConfig& config, const Prepare& prepare, const DaemonOptions& options,
                                      bool* created) {
  TRY(Daemon::block_signals(options));
  if (prepare) {
    ASSIGN_OR_RETURN(*created, prepare());
  }
  return Daemon::start(config, options);
}

Json describe(const Daemon& daemon, bool created) {
  Json json;
  json["created"] = created;
  json["pid"] = static_cast<uint64_t>(::getpid());
  json["mount_point"] = daemon.mount_point();
  return json;
}

[[noreturn]] void run_child(const MountConfig& config, const Prepare& prepare, LineSocket parent) {
  ::setsid();
  become_daemon();
  auto tell = [&](const std::string& line) { (void)parent.write_line(line, limits::kControlSendMs); };
  if (Status directed = direct_output_to(config.log_file); !directed) {
    tell(error_line(directed.error()));
    ::_exit(1);
  }
  bool created = false;
  auto daemon = start(config, prepare, {.hangup_ends = false}, &created);
  if (!daemon) {
    log::error("{}", daemon.error().what);
    tell(error_line(daemon.error()));
    ::_exit(1);
  }
  tell(result_line(describe(**daemon, created)));
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
                    json_text(body, "mount_point").value_or(""), json_flag(body, "created")};
  if (fuse::probe_mount(launched.mount_point, limits::kMountProbeMs) != fuse::MountLife::kAlive)
    return error(Code::kTimeout, "the daemon runs as process {}, but the mount at {} does not answer; see {}",
                 launched.pid, launched.mount_point, config.log_file);
  return launched;
}

}  // namespace

Result<Launched> launch_in_background(const MountConfig& config, const Prepare& prepare) {
  int fds[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) != 0) return errno_error(errno, "create a socket pair");
  FileDescriptor ours(fds[0]);
  FileDescriptor theirs(fds[1]);
  pid_t child = ::fork();
  if (child < 0) return errno_error(errno, "start the daemon");
  if (child == 0) {
    ours.reset();
    run_child(config, prepare, LineSocket(std::move(theirs), limits::kControlReplyBytes));
  }
  theirs.reset();
  LineSocket socket(std::move(ours), limits::kControlReplyBytes);
  return await_child(child, socket, config);
}

Status run_in_foreground(const MountConfig& config, const Prepare& prepare) {
  become_daemon();
  if (!config.log_file.empty() && !log::set_file(config.log_file))
    return error(Code::kIo, "cannot write log file {}", config.log_file);
  bool created = false;
  ASSIGN_OR_RETURN(std::unique_ptr<Daemon> daemon, start(config, prepare, {.hangup_ends = true}, &created));
  notify_service_manager("READY=1");
  daemon->serve();
  notify_service_manager("STOPPING=1");
  return {};
}

}  // namespace weir
