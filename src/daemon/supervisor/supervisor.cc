#include "daemon/supervisor/supervisor.h"

#include <poll.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>

#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "daemon/control/message.h"
#include "daemon/mount/service_notify.h"
#include "daemon/supervisor/spawn.h"
#include "fuse/mount.h"

namespace weir {

namespace {

int64_t now_ms() { return SystemClock().monotonic_ns() / 1'000'000; }

std::vector<int> numbers_of(const std::vector<FileDescriptor>& descriptors) {
  std::vector<int> numbers;
  for (const FileDescriptor& descriptor : descriptors) numbers.push_back(descriptor.get());
  return numbers;
}

sigset_t handled_signals(bool foreground) {
  sigset_t handled;
  sigemptyset(&handled);
  sigaddset(&handled, SIGTERM);
  sigaddset(&handled, SIGINT);
  if (foreground) sigaddset(&handled, SIGHUP);
  return handled;
}

/// How a process ended, for the log. A daemon that another supervisor started is not our child.
std::string end_of(pid_t pid) {
  int status = 0;
  if (::waitpid(pid, &status, 0) != pid) return "is gone";
  if (WIFSIGNALED(status)) return fmt::format("was killed by signal {}", WTERMSIG(status));
  return fmt::format("ended with exit code {}", WEXITSTATUS(status));
}

std::string mount_point_of(const Json& config) { return json_text(config, "mount_point").value_or(""); }

}  // namespace

Supervisor::Supervisor(Json config, bool foreground, Ready ready)
    : config_(std::move(config)), foreground_(foreground), ready_(std::move(ready)) {}

Status Supervisor::prepare_signals(bool foreground) {
  const sigset_t handled = handled_signals(foreground);
  if (!foreground) ::signal(SIGHUP, SIG_IGN);
  ::signal(SIGPIPE, SIG_IGN);
  if (int failure = ::pthread_sigmask(SIG_BLOCK, &handled, nullptr); failure != 0)
    return errno_error(failure, "block signals");
  return {};
}

Json Supervisor::state() const {
  Json state;
  state["kind"] = "supervise";
  state["config"] = config_;
  state["foreground"] = foreground_;
  state["daemon"] = daemon_pid_;
  return state;
}

Result<Supervisor> Supervisor::take_over(ProcessMessage message) {
  auto config = message.body.find("config");
  auto pid = json_number(message.body, "daemon");
  if (message.kind() != "supervise" || config == message.body.end() || !pid || message.descriptors.size() < 2)
    return error(Code::kInvalid, "a supervisor was not told what to go on with");
  Supervisor supervisor(*config, json_flag(message.body, "foreground"), {});
  supervisor.daemon_ = MessageSocket(std::move(message.descriptors[0]));
  supervisor.daemon_process_ = std::move(message.descriptors[1]);
  supervisor.daemon_pid_ = static_cast<pid_t>(*pid);
  supervisor.daemon_ready_ = supervisor.served_ = true;
  for (size_t i = 2; i < message.descriptors.size(); ++i) supervisor.kept_.push_back(std::move(message.descriptors[i]));
  return supervisor;
}

Status Supervisor::run() {
  const sigset_t handled = handled_signals(foreground_);
  signals_.reset(::signalfd(-1, &handled, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!signals_.valid()) return errno_error(errno, "create a signal descriptor");
  if (daemon_pid_ == 0) TRY(start_daemon(kThisProgram));
  while (!finished_) TRY(wait_and_handle());
  if (failure_ && !served_) return Failure(*failure_);
  return {};
}

Status Supervisor::start_daemon(const std::string& binary) {
  restart_at_ms_.reset();
  ASSIGN_OR_RETURN(auto ends, MessageSocket::pair());
  ASSIGN_OR_RETURN(daemon_pid_, spawn(binary, kDaemonMode, mount_point_of(config_), ends.second.fd()));
  ASSIGN_OR_RETURN(daemon_process_, open_process(daemon_pid_));
  daemon_ = std::move(ends.first);
  daemon_ready_ = said_bye_ = false;
  failure_.reset();
  Json start;
  start["kind"] = "start";
  start["config"] = config_;
  start["supervisor"] = ::getpid();
  start["note"] = note_;
  // If it is dead already, its end is found by who waits for it.
  if (Status sent = daemon_.send(start, numbers_of(kept_)); !sent && sent.error().code != Code::kUnavailable)
    return sent;
  return {};
}

Status Supervisor::wait_and_handle() {
  pollfd entries[3] = {{signals_.get(), POLLIN, 0}, {daemon_.fd(), POLLIN, 0}, {daemon_process_.get(), POLLIN, 0}};
  int64_t timeout_ms = -1;
  if (restart_at_ms_) timeout_ms = std::max<int64_t>(0, *restart_at_ms_ - now_ms());
  if (::poll(entries, 3, static_cast<int>(timeout_ms)) < 0 && errno != EINTR) return errno_error(errno, "wait");
  if ((entries[0].revents & POLLIN) != 0) handle_signal();
  if (entries[1].revents != 0) TRY(handle_messages());
  if (daemon_process_.valid() && (entries[2].revents & POLLIN) != 0) {
    TRY(handle_messages());  // what it said before it ended
    handle_end();
  }
  if (!finished_ && restart_at_ms_ && now_ms() >= *restart_at_ms_) {
    upgrade_began_ = !upgrade_binary_.empty();
    if (Status started = start_daemon(upgrade_binary_.empty() ? kThisProgram : upgrade_binary_); !started) {
      log::error("the daemon of {} cannot be started: {}", mount_point_of(config_), started.error().what);
      forget_daemon();
      upgrade_binary_.clear();
      plan_restart();
    }
  }
  return {};
}

void Supervisor::handle_signal() {
  signalfd_siginfo signal{};
  if (::read(signals_.get(), &signal, sizeof signal) != sizeof signal) return;
  ending_ = true;
  if (daemon_pid_ != 0) {
    ::kill(daemon_pid_, SIGTERM);
    return;
  }
  log::warning("the mount at {} ends while it has no daemon", mount_point_of(config_));
  if (Status unmounted = fuse::unmount(mount_point_of(config_), fuse::UnmountMode::kLazy); !unmounted)
    log::error("{}", unmounted.error().what);
  finished_ = true;
}

Status Supervisor::handle_messages() {
  while (daemon_.valid()) {
    pollfd readable{daemon_.fd(), POLLIN, 0};
    if (::poll(&readable, 1, 0) <= 0) return {};
    auto message = daemon_.receive();
    if (!message || !*message) {
      if (!message) log::error("the daemon is not understood: {}", message.error().what);
      daemon_ = MessageSocket();  // its end shows in the process
      return {};
    }
    TRY(handle_message(std::move(**message)));
  }
  return {};
}

Status Supervisor::handle_message(ProcessMessage message) {
  const std::string kind = message.kind();
  if (kind == "keep") {
    kept_ = std::move(message.descriptors);
    return daemon_.send(Json{{"kind", "kept"}});
  }
  if (kind == "ready") {
    daemon_ready_ = true;
    note_.clear();
    if (!std::exchange(served_, true)) {
      if (ready_) ready_(message.body);
      if (foreground_) notify_service_manager("READY=1");
    }
    if (!upgrade_binary_.empty()) finish_upgrade();
  } else if (kind == "stopping") {
    if (foreground_) notify_service_manager("STOPPING=1");
  } else if (kind == "bye") {
    said_bye_ = true;
  } else if (kind == "failed") {
    auto reply = parse_reply(json_text(message.body, "line").value_or(""));
    if (reply && reply->kind == Reply::Kind::kError) failure_ = reply->error;
  } else if (kind == "upgrade") {
    upgrade_binary_ = json_text(message.body, "binary").value_or("");
    log::info("the daemon of {} is replaced by {}", mount_point_of(config_), upgrade_binary_);
    // As if it had crashed: there is one way to go on after a daemon, and it is a tried one.
    ::kill(daemon_pid_, SIGKILL);
  } else {
    log::warning("the daemon said '{}', which this supervisor does not know", kind);
  }
  return {};
}

void Supervisor::forget_daemon() {
  daemon_ = MessageSocket();
  daemon_process_.reset();
  daemon_pid_ = 0;
}

void Supervisor::handle_end() {
  const std::string how = end_of(daemon_pid_);
  const bool was_ready = daemon_ready_;
  forget_daemon();
  if (said_bye_) {
    finished_ = true;
    return;
  }
  if (!served_) {
    if (!failure_) failure_ = Error{Code::kInternal, fmt::format("the daemon {} while it started", how)};
    finished_ = true;
    return;
  }
  const std::string why = failure_ ? fmt::format("{}: {}", how, failure_->what) : how;
  if (ending_) {
    log::error("the daemon of {} {} while it ended", mount_point_of(config_), why);
    finished_ = true;
    return;
  }
  if (!upgrade_binary_.empty() && !was_ready && upgrade_began_) {
    note_ = fmt::format("{} could not take the mount over, and the old program goes on: it {}", upgrade_binary_, why);
    log::error("{}", note_);
    upgrade_binary_.clear();
    upgrade_began_ = false;
  } else if (upgrade_binary_.empty()) {
    log::error("the daemon of {} {}; another one goes on", mount_point_of(config_), why);
  }
  plan_restart();
}

/// At once, unless daemons keep dying before they serve.
void Supervisor::plan_restart() { restart_at_ms_ = now_ms() + pause_ms(); }

int64_t Supervisor::pause_ms() {
  if (daemon_ready_) failed_starts_ = 0;
  const int beyond = ++failed_starts_ - limits::kRestartsAtOnce;
  if (beyond <= 0) return 0;
  const int64_t pause = std::min(limits::kRestartPauseMs << std::min(beyond - 1, 16), limits::kRestartPauseMaxMs);
  log::warning("{} daemons in a row died before they served; the next one starts in {} ms", failed_starts_, pause);
  return pause;
}

/// The new daemon serves: the supervisor follows it.
void Supervisor::finish_upgrade() {
  const std::string binary = std::exchange(upgrade_binary_, "");
  auto ends = MessageSocket::pair();
  if (!ends) return log::error("the supervisor stays of the old program: {}", ends.error().what);
  std::vector<int> descriptors = {daemon_.fd(), daemon_process_.get()};
  for (int number : numbers_of(kept_)) descriptors.push_back(number);
  if (Status sent = ends->first.send(state(), descriptors); !sent)
    return log::error("the supervisor stays of the old program: {}", sent.error().what);
  const Error failed = replace_process(binary, kSupervisorMode, mount_point_of(config_), ends->second.fd());
  ::close(kInheritedSocket);
  log::error("the supervisor stays of the old program: {}", failed.what);
}

}  // namespace weir
