#pragma once

#include <sys/types.h>

#include <atomic>
#include <functional>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "base/file_descriptor.h"
#include "base/mutex.h"
#include "base/result.h"
#include "daemon/json.h"
#include "daemon/supervisor/message_socket.h"

namespace weir {

/// The daemon's side of its supervisor: hands over what must outlive the daemon, says how far it is, and starts another
/// supervisor when that one dies. Thread-safe.
class DaemonLink {
 public:
  /// What a daemon starts with.
  struct Beginning {
    Json config;
    std::string note;                  // what a person must be told
    std::vector<FileDescriptor> kept;  // of the predecessor; empty: a new mount
  };

  explicit DaemonLink(MessageSocket socket) : socket_(std::move(socket)) {}
  ~DaemonLink();
  DaemonLink(const DaemonLink&) = delete;
  DaemonLink& operator=(const DaemonLink&) = delete;

  /// Blocks: until the supervisor has said it. Once, before all else.
  Result<Beginning> begin();
  /// The supervisor holds these descriptors too when it returns. They stay the caller's, and open. Blocks.
  Status keep(std::span<const int> descriptors);
  /// The daemon serves. From now on the supervisor is watched, and `replaced` is called, by a thread of this object,
  /// after another one was started.
  void serve(const Json& launched, std::function<void()> replaced);
  /// The mount is gone.
  void stopping();
  /// This process is about to end, and no other shall go on.
  void bye();
  /// The daemon could not start.
  void failed(const Error& error);
  /// This process is to be ended, and `binary` shall go on.
  Status upgrade(const std::string& binary);

  pid_t supervisor() const { return supervisor_; }

 private:
  void watch();
  Status replace_supervisor();
  void say(const char* kind);
  Status send(const Json& body);

  MessageSocket socket_ GUARDED_BY(mutex_);
  mutable Mutex mutex_;
  Json config_;
  std::vector<int> kept_ GUARDED_BY(mutex_);
  std::atomic<pid_t> supervisor_ = 0;
  std::atomic<bool> ending_ = false;
  pid_t child_ = 0;  // the supervisor, if this process started it
  std::function<void()> replaced_;
  FileDescriptor stop_;
  std::thread watcher_;
};

}  // namespace weir
