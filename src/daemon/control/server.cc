#include "daemon/control/server.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <nlohmann/json.hpp>

#include "base/log.h"

namespace weir {

namespace {

Result<FileDescriptor> listen_at(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path)
    return error(Code::kNameTooLong, "control socket path {} is too long", path);
  std::memcpy(address.sun_path, path.data(), path.size());
  FileDescriptor fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!fd.valid()) return errno_error(errno, "create the control socket");
  ::unlink(path.c_str());
  ::fchmod(fd.get(), 0600);  // bind() gives the file the socket's mode, less the umask
  if (::bind(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0)
    return errno_error(errno, fmt::format("create the control socket {}", path));
  ::chmod(path.c_str(), 0600);
  if (::listen(fd.get(), 16) != 0) return errno_error(errno, fmt::format("listen at {}", path));
  return fd;
}

bool may_command(int fd) {
  ucred peer{};
  socklen_t size = sizeof peer;
  if (::getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) return false;
  return peer.uid == 0 || peer.uid == ::geteuid();
}

}  // namespace

Result<std::unique_ptr<ControlServer>> ControlServer::start(const std::string& path, Handler handler) {
  ASSIGN_OR_RETURN(FileDescriptor listener, listen_at(path));
  FileDescriptor stop_event(::eventfd(0, EFD_CLOEXEC));
  if (!stop_event.valid()) return errno_error(errno, "create an event descriptor");
  return std::unique_ptr<ControlServer>(
      new ControlServer(path, std::move(listener), std::move(stop_event), std::move(handler)));
}

ControlServer::ControlServer(std::string path, FileDescriptor listener, FileDescriptor stop_event, Handler handler)
    : path_(std::move(path)),
      listener_(std::move(listener)),
      stop_event_(std::move(stop_event)),
      handler_(std::move(handler)),
      acceptor_([this] { accept_connections(); }) {}

ControlServer::~ControlServer() {
  stopping_ = true;
  ::unlink(path_.c_str());
  uint64_t one = 1;
  if (::write(stop_event_.get(), &one, sizeof one) < 0) log::error("the control socket's thread cannot be woken");
  acceptor_.join();
  MutexLock lock(mutex_);
  for (Connection& connection : connections_) connection.socket.shutdown_reading();
  for (Connection& connection : connections_) connection.thread.join();
}

void ControlServer::accept_connections() {
  ::pthread_setname_np(::pthread_self(), "control");
  while (!stopping_) {
    pollfd entries[2] = {{listener_.get(), POLLIN, 0}, {stop_event_.get(), POLLIN, 0}};
    if (::poll(entries, 2, -1) < 0 && errno != EINTR)
      return log::error("the control socket fails: {}", std::strerror(errno));
    if (stopping_ || (entries[0].revents & POLLIN) == 0) continue;
    FileDescriptor fd(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    if (fd.valid()) admit(std::move(fd));
    // Out of descriptors: the client waits in the queue, and we do not spin.
    else if (errno == EMFILE || errno == ENFILE)
      ::poll(nullptr, 0, 100);
  }
}

void ControlServer::admit(FileDescriptor fd) {
  if (!may_command(fd.get())) return log::warning("a process of another user tried the control socket");
  MutexLock lock(mutex_);
  reap();
  if (connections_.size() >= limits::kControlConnections) {
    LineSocket refused(std::move(fd), 0);
    // Fits into the socket's buffer, so it never waits.
    (void)refused.write_line(
        error_line({Code::kBusy, "the daemon answers as many commands as it can at once; try again later"}), 0);
    return;
  }
  Connection& connection = connections_.emplace_back(std::move(fd));
  connection.thread = std::thread([this, &connection] { serve(connection); });
}

void ControlServer::serve(Connection& connection) {
  ::pthread_setname_np(::pthread_self(), "control-client");
  if (Status answered = answer(connection); !answered) log::debug("control socket: {}", answered.error().what);
  connection.done = true;
}

Status ControlServer::answer(Connection& connection) {
  LineSocket& socket = connection.socket;
  auto line = socket.read_line(limits::kControlRequestMs);
  if (!line) return socket.write_line(error_line(line.error()), limits::kControlSendMs);
  if (!line->has_value()) return {};
  auto request = parse_request(**line);
  if (!request) return socket.write_line(error_line(request.error()), limits::kControlSendMs);

  ReportProgress progress = [&](const Json& report) {
    if (stopping_ || socket.peer_gone()) return false;
    return socket.write_line(progress_line(report), limits::kControlSendMs).has_value();
  };
  auto result = handler_(*request, progress);
  return socket.write_line(result ? result_line(*result) : error_line(result.error()), limits::kControlSendMs);
}

void ControlServer::reap() {
  for (auto connection = connections_.begin(); connection != connections_.end();) {
    if (!connection->done) {
      ++connection;
      continue;
    }
    connection->thread.join();
    connection = connections_.erase(connection);
  }
}

}  // namespace weir
