#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "base/file_descriptor.h"
#include "base/mutex.h"
#include "base/result.h"
#include "cluster/members.h"
#include "daemon/control/server.h"
#include "daemon/mount/mount_config.h"
#include "daemon/network/peering.h"
#include "daemon/supervisor/daemon_link.h"
#include "daemon/volume/open_volume.h"
#include "fuse/channel.h"
#include "fuse/mount.h"

namespace weir {

namespace cache {
class Cache;
}
namespace vfs {
class Filesystem;
}
namespace fuse {
class NotifiedKernelCache;
}

/// One mounted volume: every part, built by hand and passed in, and the order in which they come and go. Ends, cleanly,
/// on SIGTERM, SIGINT, `weir umount`, umount(8), or when another process takes the node over. When it dies instead, its
/// supervisor starts another, which goes on with what lies in the shared memory (docs/supervisor.md).
class Daemon {
 public:
  /// Makes the signals that end a daemon wait for serve(). Before this process has other threads, or opens an engine.
  static Status block_signals();
  /// Opens the volume, mounts it, or goes on with the mount of a predecessor, and serves. Errors are sentences for the
  /// user; nothing new is left mounted then. Blocks. Requires: block_signals() was called; `link` outlives this object.
  static Result<std::unique_ptr<Daemon>> start(const MountConfig& config, DaemonLink& link,
                                               DaemonLink::Beginning beginning);
  /// Unmounts if it is still mounted, publishes what is open for writing, and lets go of everything.
  ~Daemon();
  Daemon(const Daemon&) = delete;
  Daemon& operator=(const Daemon&) = delete;

  /// Blocks: until the volume is unmounted, or was told to be. If files are still open then, the mount is detached and
  /// what is open is served for limits::kDetachedMs more, or until a second signal.
  void serve();
  /// Makes serve() return as SIGTERM would. Any thread.
  void ask_to_end();
  /// Another supervisor watches over the mount. Any thread.
  void supervisor_replaced();
  /// Takes the mount away, as fuse::unmount(); never another one that is at its place by now. NotFound: it is gone
  /// already. Any thread.
  Status unmount(fuse::UnmountMode mode);

  /// For the commands. Any thread, while the control server runs.
  const std::string& mount_point() const { return config_.mount_point; }
  const MountConfig& config() const { return config_; }
  OpenedVolume& opened() { return *opened_; }
  const cluster::Members* members() const { return members_.get(); }
  /// Null: this node neither asks nor answers others.
  const Peering* peering() const { return peering_.get(); }
  cache::Cache& cache() { return *cache_; }
  vfs::Filesystem& filesystem() { return *filesystem_; }
  fuse::Channel& channel() { return *channel_; }
  int64_t started_ns() const { return started_ns_; }
  /// What people must be told about the start, such as content that did not survive a power failure.
  const std::vector<std::string>& reports() const { return reports_; }
  DaemonLink& link() { return link_; }

 private:
  enum class Wake { kSignal, kAsked, kUnmounted, kTimeout };

  Daemon(MountConfig config, DaemonLink& link);
  Status open_parts();
  Status open_cache();
  Status open_memory(DaemonLink::Beginning& beginning);
  Status open_network();
  Status start_network();
  Status start_filesystem();
  void let_go_of_locks(const cluster::Member& dead);
  Status mount_volume();
  Status check_passthrough();
  Status start_channel();
  Status start_control();
  Status write_record();
  void watch_channel();
  Wake wait(int64_t timeout_ms);
  void unmount_or_detach();

  const MountConfig config_;
  DaemonLink& link_;
  const int64_t started_ns_;
  std::string control_path_;
  std::vector<std::string> reports_;
  FileDescriptor signals_;
  FileDescriptor asked_;
  FileDescriptor unmounted_;
  std::unique_ptr<OpenedVolume> opened_;
  std::string address_;                        // that others are told; empty: there is no server
  std::unique_ptr<cluster::Members> members_;  // null: the volume has one node
  std::unique_ptr<cache::Cache> cache_;
  std::shared_ptr<SharedMemory> memory_;
  std::vector<FileDescriptor> devices_;  // until the channel has them; of a predecessor at first
  std::unique_ptr<Peering> peering_;
  std::unique_ptr<vfs::Filesystem> filesystem_;
  std::unique_ptr<fuse::Handler> handler_;
  std::unique_ptr<fuse::Channel> channel_;
  std::unique_ptr<fuse::NotifiedKernelCache> kernel_cache_;
  std::unique_ptr<ControlServer> control_;
  std::thread channel_watcher_;
  Mutex mutex_;
  /// The kernel's number of our mount, while it has a place.
  std::optional<unsigned> mount_device_ GUARDED_BY(mutex_);
  vfs::Filesystem* takes_locks_ GUARDED_BY(mutex_) = nullptr;  // of dead nodes away; null: not yet, or no more
  std::vector<cluster::Member> dead_ GUARDED_BY(mutex_);       // while there was none
};

}  // namespace weir
