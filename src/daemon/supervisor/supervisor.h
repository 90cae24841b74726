#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/file_descriptor.h"
#include "base/result.h"
#include "daemon/json.h"
#include "daemon/supervisor/message_socket.h"

namespace weir {

/// The small process that keeps a mount alive: it holds the kernel's descriptors and the shared memory file, starts the
/// daemon that works with them, and starts another when that dies (docs/supervisor.md). It has one thread, opens
/// nothing of the volume, and can be replaced itself: by the daemon when it dies, by a newer program on an upgrade.
class Supervisor {
 public:
  /// Called when the first daemon serves, with what it says of itself.
  using Ready = std::function<void(const Json& launched)>;

  /// For a new mount. `config` is what the daemon gets (mount_config.h). In the foreground it tells the service manager
  /// how far the mount is, and a hangup of the terminal ends it.
  Supervisor(Json config, bool foreground, Ready ready);
  /// Goes on with what another supervisor had, from its message of kind "supervise".
  static Result<Supervisor> take_over(ProcessMessage message);
  Supervisor(Supervisor&&) = default;

  /// Blocks: until the daemon has ended by itself, or by SIGTERM or SIGINT to this process. The error that kept the
  /// first daemon from serving. Requires: prepare_signals().
  Status run();
  const Json& config() const { return config_; }
  bool in_foreground() const { return foreground_; }
  /// Before this process has threads.
  static Status prepare_signals(bool foreground);

 private:
  Status start_daemon(const std::string& binary);
  Status wait_and_handle();
  void handle_signal();
  Status handle_messages();
  Status handle_message(ProcessMessage message);
  void handle_end();
  void forget_daemon();
  void plan_restart();
  void finish_upgrade();
  int64_t pause_ms();
  Json state() const;

  Json config_;
  bool foreground_ = false;
  Ready ready_;
  FileDescriptor signals_;
  std::vector<FileDescriptor> kept_;

  MessageSocket daemon_;
  FileDescriptor daemon_process_;
  pid_t daemon_pid_ = 0;       // 0: there is none
  bool served_ = false;        // a daemon has served this mount
  bool daemon_ready_ = false;  // this one does
  bool said_bye_ = false;      // it ends because the mount does
  bool ending_ = false;        // we were told to
  bool finished_ = false;
  std::optional<Error> failure_;  // of a daemon that could not start

  int failed_starts_ = 0;  // since a daemon last served
  std::optional<int64_t> restart_at_ms_;
  std::string note_;            // for the next daemon: what happened to the one before
  std::string upgrade_binary_;  // not empty: the next daemon is of this program
  bool upgrade_began_ = false;  // the one that runs is
};

}  // namespace weir
