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
#include "daemon/supervisor/daemon_link.h"
#include "daemon/supervisor/spawn.h"
#include "daemon/supervisor/supervisor.h"
#include "daemon/volume/format_volume.h"
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

/// True: the volume is new.
Result<bool> create_if_wanted(const MountConfig& config) {
  if (!config.create) return false;
  auto formatted = format_volume({config.metadata, config.create->store_url, config.create->name, true});
  if (formatted) return true;
  const bool there = ::access((config.metadata.directory + "/format").c_str(), F_OK) == 0;
  if (formatted.error().code == Code::kExists && there) return false;
  return Failure(formatted.error());
}

Json describe(const Daemon& daemon, bool created) {
  Json json;
  json["created"] = created;
  json["pid"] = static_cast<uint64_t>(::getpid());
  json["mount_point"] = daemon.mount_point();
  return json;
}

/// Common to both processes of a mount.
Status log_as(const MountConfig& config) {
  log::set_level(config.log_level);
  if (!config.log_file.empty() && !log::set_file(config.log_file))
    return error(Code::kIo, "cannot write log file {}", config.log_file);
  return {};
}

/// Until the mount has ended. The error that kept the daemon from serving.
Status serve(DaemonLink& link) {
  ASSIGN_OR_RETURN(DaemonLink::Beginning beginning, link.begin());
  ASSIGN_OR_RETURN(MountConfig config, mount_config_of(beginning.config));
  TRY(log_as(config));
  TRY(Daemon::block_signals());
  bool created = false;
  if (beginning.kept.empty()) {
    ASSIGN_OR_RETURN(created, create_if_wanted(config));
  }
  ASSIGN_OR_RETURN(std::unique_ptr<Daemon> daemon, Daemon::start(config, link, std::move(beginning)));
  link.serve(describe(*daemon, created), [&] { daemon->supervisor_replaced(); });
  daemon->serve();
  link.stopping();
  daemon.reset();
  link.bye();
  return {};
}

[[noreturn]] void run_background_supervisor(const MountConfig& config, LineSocket starter) {
  ::setsid();
  become_daemon();
  auto socket = std::make_shared<LineSocket>(std::move(starter));
  auto tell = [&socket](const std::string& line) {
    if (socket) (void)socket->write_line(line, limits::kControlSendMs);
    socket.reset();
  };
  Status directed = direct_output_to(config.log_file);
  if (directed) directed = Supervisor::prepare_signals(false);
  if (!directed) {
    tell(error_line(directed.error()));
    ::_exit(1);
  }
  Supervisor supervisor(to_json(config), false, [&](const Json& launched) { tell(result_line(launched)); });
  Status ended = supervisor.run();
  if (!ended) {
    log::error("{}", ended.error().what);
    tell(error_line(ended.error()));
  }
  ::_exit(ended ? 0 : 1);
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

Result<Launched> launch_in_background(const MountConfig& config) {
  int fds[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) != 0) return errno_error(errno, "create a socket pair");
  FileDescriptor ours(fds[0]);
  FileDescriptor theirs(fds[1]);
  pid_t child = ::fork();
  if (child < 0) return errno_error(errno, "start the daemon");
  if (child == 0) {
    ours.reset();
    run_background_supervisor(config, LineSocket(std::move(theirs), limits::kControlReplyBytes));
  }
  theirs.reset();
  LineSocket socket(std::move(ours), limits::kControlReplyBytes);
  return await_child(child, socket, config);
}

Status run_in_foreground(const MountConfig& config) {
  become_daemon();
  TRY(log_as(config));
  TRY(Supervisor::prepare_signals(true));
  return Supervisor(to_json(config), true, {}).run();
}

int run_daemon_process() {
  become_daemon();
  ::fcntl(kInheritedSocket, F_SETFD, FD_CLOEXEC);
  DaemonLink link{MessageSocket(FileDescriptor(kInheritedSocket))};
  Status served = serve(link);
  if (served) return 0;
  log::error("{}", served.error().what);
  link.failed(served.error());
  return 1;
}

int run_supervisor_process() {
  become_daemon();
  MessageSocket socket{FileDescriptor(kInheritedSocket)};
  auto message = socket.receive();
  Status ended;
  if (!message || !*message) {
    ended = error(Code::kInvalid, "a supervisor was not told what to go on with");
  } else if (auto supervisor = Supervisor::take_over(std::move(**message)); !supervisor) {
    ended = Failure(supervisor.error());
  } else {
    ended = mount_config_of(supervisor->config()).and_then(log_as);
    if (ended) ended = Supervisor::prepare_signals(supervisor->in_foreground());
    socket = MessageSocket();
    if (ended) ended = supervisor->run();
  }
  if (!ended) log::error("{}", ended.error().what);
  return ended ? 0 : 1;
}

}  // namespace weir
