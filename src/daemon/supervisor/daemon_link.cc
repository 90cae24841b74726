#include "daemon/supervisor/daemon_link.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>

#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "daemon/control/message.h"
#include "daemon/supervisor/spawn.h"

namespace weir {

namespace {

constexpr int64_t kRetryMs = 500;

}  // namespace

DaemonLink::~DaemonLink() {
  if (!watcher_.joinable()) return;
  const uint64_t one = 1;
  if (::write(stop_.get(), &one, sizeof one) != sizeof one) log::error("the supervisor's watcher cannot be woken");
  watcher_.join();
}

Result<DaemonLink::Beginning> DaemonLink::begin() {
  MutexLock lock(mutex_);
  ASSIGN_OR_RETURN(auto message, socket_.receive());
  if (!message) return error(Code::kUnavailable, "the supervisor is gone");
  auto config = message->body.find("config");
  if (message->kind() != "start" || config == message->body.end())
    return error(Code::kInvalid, "the supervisor did not say what to serve");
  config_ = *config;
  supervisor_ = static_cast<pid_t>(json_number(message->body, "supervisor").value_or(0));
  for (const FileDescriptor& descriptor : message->descriptors) kept_.push_back(descriptor.get());
  return Beginning{config_, json_text(message->body, "note").value_or(""), std::move(message->descriptors)};
}

Status DaemonLink::keep(std::span<const int> descriptors) {
  MutexLock lock(mutex_);
  kept_.assign(descriptors.begin(), descriptors.end());
  TRY(socket_.send(Json{{"kind", "keep"}}, kept_));
  ASSIGN_OR_RETURN(auto answer, socket_.receive());
  if (!answer || answer->kind() != "kept") return error(Code::kUnavailable, "the supervisor is gone");
  return {};
}

Status DaemonLink::send(const Json& body) {
  MutexLock lock(mutex_);
  return socket_.send(body);
}

void DaemonLink::say(const char* kind) {
  if (Status said = send(Json{{"kind", kind}}); !said)
    log::warning("the supervisor was not told '{}': {}", kind, said.error().what);
}

void DaemonLink::serve(const Json& launched, std::function<void()> replaced) {
  Json ready = launched;
  ready["kind"] = "ready";
  if (Status said = send(ready); !said) log::warning("the supervisor was not told: {}", said.error().what);
  replaced_ = std::move(replaced);
  stop_.reset(::eventfd(0, EFD_CLOEXEC));
  watcher_ = std::thread([this] { watch(); });
}

void DaemonLink::stopping() {
  ending_ = true;
  say("stopping");
}

void DaemonLink::bye() { say("bye"); }

void DaemonLink::failed(const Error& error) {
  Json body;
  body["kind"] = "failed";
  body["line"] = error_line(error);
  if (Status said = send(body); !said) log::warning("the supervisor was not told: {}", said.error().what);
}

Status DaemonLink::upgrade(const std::string& binary) {
  Json body;
  body["kind"] = "upgrade";
  body["binary"] = binary;
  return send(body);
}

void DaemonLink::watch() {
  ::pthread_setname_np(::pthread_self(), "supervisor");
  while (true) {
    int fd = -1;
    {
      MutexLock lock(mutex_);
      fd = socket_.fd();
    }
    // The supervisor says nothing unasked: anything else than a hangup cannot come.
    pollfd entries[2] = {{stop_.get(), POLLIN, 0}, {fd, 0, 0}};
    if (::poll(entries, 2, -1) < 0 && errno != EINTR) return log::error("cannot watch the supervisor: {}", errno);
    if (entries[0].revents != 0) return;
    if ((entries[1].revents & (POLLHUP | POLLERR)) == 0) continue;
    if (ending_) return;
    if (child_ != 0) ::waitpid(child_, nullptr, 0);
    child_ = 0;
    if (Status replaced = replace_supervisor(); !replaced) {
      log::error("no supervisor can be started: {}", replaced.error().what);
      SystemClock().sleep_ms(kRetryMs);
      continue;
    }
    if (replaced_) replaced_();
  }
}

Status DaemonLink::replace_supervisor() {
  log::warning("the supervisor (process {}) is gone; another one is started", supervisor_.load());
  ASSIGN_OR_RETURN(auto ours, MessageSocket::pair());
  ASSIGN_OR_RETURN(auto beginning, MessageSocket::pair());
  ASSIGN_OR_RETURN(FileDescriptor self, open_process(::getpid()));
  MutexLock lock(mutex_);
  Json state;
  state["kind"] = "supervise";
  state["config"] = config_;
  state["foreground"] = false;  // the terminal or service manager has lost its process
  state["daemon"] = ::getpid();
  std::vector<int> descriptors = {ours.second.fd(), self.get()};
  descriptors.insert(descriptors.end(), kept_.begin(), kept_.end());
  TRY(beginning.first.send(state, descriptors));
  ASSIGN_OR_RETURN(child_, spawn(kThisProgram, kSupervisorMode, json_text(config_, "mount_point").value_or(""),
                                 beginning.second.fd()));
  supervisor_ = child_;
  socket_ = std::move(ours.first);
  return {};
}

}  // namespace weir
