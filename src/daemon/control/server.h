#pragma once

#include <atomic>
#include <functional>
#include <list>
#include <memory>
#include <string>
#include <thread>

#include "base/file_descriptor.h"
#include "base/limits.h"
#include "base/mutex.h"
#include "base/result.h"
#include "daemon/control/line_socket.h"
#include "daemon/control/message.h"

namespace weir {

/// Answers requests on a Unix socket: one request a connection, one thread a connection, limits::kControlConnections at
/// once. A client that sends or takes nothing is dropped after limits::kControlRequestMs or kControlSendMs.
class ControlServer {
 public:
  /// May block; several run at once. Calls `progress` from its own thread only.
  using Handler = std::function<Result<Json>(const Json& request, const ReportProgress& progress)>;

  /// Makes the socket, mode 0600. Only this user and root get an answer.
  static Result<std::unique_ptr<ControlServer>> start(const std::string& path, Handler handler);
  /// Removes the socket, tells running commands through `progress` to stop, and waits until they answered.
  ~ControlServer();
  ControlServer(const ControlServer&) = delete;
  ControlServer& operator=(const ControlServer&) = delete;

  const std::string& path() const { return path_; }

 private:
  struct Connection {
    explicit Connection(FileDescriptor fd) : socket(std::move(fd), limits::kControlRequestBytes) {}
    LineSocket socket;
    std::atomic<bool> done{false};
    std::thread thread;
  };

  ControlServer(std::string path, FileDescriptor listener, FileDescriptor stop_event, Handler handler);
  void accept_connections();
  void admit(FileDescriptor fd);
  void serve(Connection& connection);
  Status answer(Connection& connection);
  void reap() REQUIRES(mutex_);

  const std::string path_;
  const FileDescriptor listener_;
  const FileDescriptor stop_event_;
  const Handler handler_;
  std::atomic<bool> stopping_{false};
  Mutex mutex_;
  std::list<Connection> connections_ GUARDED_BY(mutex_);
  std::thread acceptor_;
};

}  // namespace weir
