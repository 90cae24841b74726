#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/limits.h"
#include "base/shared_memory.h"
#include "cache/cache.h"
#include "cluster/messenger.h"
#include "meta/attributes.h"
#include "meta/names.h"
#include "model/records.h"
#include "object/object_store.h"
#include "vfs/backing_files.h"
#include "vfs/kernel_cache.h"
#include "vfs/types.h"
#include "vfs/waiting.h"

namespace weir::cluster {
class PeerClient;
}

namespace weir::vfs {

struct FilesystemOptions {
  Lifetimes lifetimes;
  std::string control_path;          // told to who asks for the root's xattr user.weir.control
  int64_t read_timeout_ms = 60'000;  // a read that nobody can serve waits no longer than this
  size_t fetch_threads = 8;
  Durability durability = Durability::kLocal;  // of fsync and O_SYNC
  size_t upload_threads = 64;                  // most of them wait for the store's answers
  uint64_t upload_memory_bytes = limits::kUploadMemoryBytes;
  uint64_t upload_bytes_per_second = 0;     // 0: no limit
  uint64_t early_upload_bytes = 64u << 20;  // files of this size are uploaded while they are written
  size_t hash_threads = 2;
  bool wait_when_full = false;           // for room in the cache, instead of ENOSPC
  std::shared_ptr<SharedMemory> memory;  // for handles and small drafts; null: a new one
  std::optional<bool> shared;            // other nodes may change the volume; nothing: what the engine says
  cluster::PeerClient* peers = nullptr;  // other nodes, to be asked for what is not stored yet; null: there are none
  bool upload = true;                    // false: leave it to the next mount (tests)
  bool shared_locks = false;             // among all nodes of the volume, not only among the processes of this one
  /// By which nodes say that a lock was granted. Not owned; null: they find it by looking now and then.
  cluster::Messenger* messenger = nullptr;
};

/// What the filesystem asks of the kernel. Not owned.
struct Kernel {
  KernelCache* cache = nullptr;
  BackingFiles* backing_files = nullptr;  // null: every read comes to us
  bool direct_writes = false;             // as OpenModes::Wish
};

class Core;
struct Handle;
class FileRef;
class SharedLocks;

/// The filesystem that the kernel channel serves: joins names (meta), the node's disk (cache) and the object store.
/// Thread-safe. Every method may block on the engine and the local disk, and where it says so on the object store.
/// Errors are the codes that open(2), read(2), … give for the case.
class Filesystem {
 public:
  /// Goes on with what `options.memory` holds of a predecessor: handles, locks, unpublished content. Publishes what an
  /// earlier life left in staging that nobody has open, releases its orphans, and starts the background work.
  /// Does not own its arguments, which must outlive it.
  static Result<std::unique_ptr<Filesystem>> start(meta::Volume& volume, cache::Cache& cache,
                                                   object::ObjectStore& store, const FilesystemOptions& options);
  /// Publishes what is still open for writing, stops the background work.
  ~Filesystem();

  const Lifetimes& lifetimes() const;
  /// Handles that may write, of a predecessor. Before the first request.
  size_t writers_restored() const;
  /// What the kernel's numbers of requests are added to, to name them in the metadata.
  uint64_t request_base() const;
  /// Tells it of the kernel, once there is a mount; an empty one takes it away. Requires: no command runs.
  void connect(const Kernel& kernel);

  // Names.
  Result<Entry> lookup(KernelNode parent, std::string_view name, const Caller& caller = {});
  /// mkdir, mknod, symlink.
  Result<Entry> make(const Caller& caller, KernelNode parent, std::string_view name, const meta::NewInode& wanted);
  Result<CreatedFile> create(const Caller& caller, KernelNode parent, std::string_view name,
                             const meta::NewInode& wanted, int open_flags);
  /// O_TMPFILE.
  Result<CreatedFile> create_unnamed(const Caller& caller, KernelNode parent, const meta::NewInode& wanted,
                                     int open_flags);
  Result<Entry> link(const Caller& caller, KernelNode node, KernelNode parent, std::string_view name);
  Status unlink(const Caller& caller, KernelNode parent, std::string_view name);
  Status remove_directory(const Caller& caller, KernelNode parent, std::string_view name);
  /// Publishes what was written to the moved file so far before the name changes.
  Status rename(const Caller& caller, KernelNode parent, std::string_view name, KernelNode new_parent,
                std::string_view new_name, meta::RenameFlags flags);
  Result<std::string> read_link(KernelNode node);

  // Attributes.
  Result<Attributes> get_attributes(KernelNode node, const Caller& caller = {});
  Result<Attributes> set_attributes(const Caller& caller, KernelNode node, const SetAttributes& change);
  Result<Bytes> get_xattr(KernelNode node, std::string_view name);
  Result<std::vector<std::string>> list_xattrs(KernelNode node);
  Status set_xattr(const Caller& caller, KernelNode node, std::string_view name, std::string_view value,
                   meta::XattrMode mode, bool clear_setgid);
  Status remove_xattr(const Caller& caller, KernelNode node, std::string_view name);
  Result<VolumeStatistics> statistics();

  // Files.
  /// True if open() may have to wait until the kernel has dropped pages: not for the kernel's workers.
  bool open_is_long(KernelNode node);
  /// On a shared volume also Stale: the kernel shall look the name up again.
  Result<Opened> open(const Caller& caller, KernelNode node, int flags);
  /// False: read() of this range would wait for the object store, so call it where waiting hurts nobody.
  bool read_is_local(HandleId handle, uint64_t offset, size_t count);
  /// Bytes read; fewer than asked only at the end of the file. May wait for the object store, or for nodes that hold
  /// what is not there yet, up to read_timeout_ms, and as `waiting` says. Io: no node that is alive has the bytes.
  Result<size_t> read(HandleId handle, uint64_t offset, std::span<char> buffer, const Waiting& waiting = {});
  /// From now on nobody waits for bytes that are out of reach: the mount ends. Any thread.
  void stop_waiting();
  /// As read_is_local(): writing into a chunk that is not here needs its other bytes first.
  bool write_is_local(HandleId handle, uint64_t offset, size_t count);
  /// The number of bytes, also of those that `from` leaves out. May wait as read() does.
  /// Takes setuid and setgid bits away, before somebody writes who may not keep them: the kernel asks for that with
  /// writes that bypass its page cache. Looks at most once a second whether there are any, or after a change of mode.
  Status drop_setid(const Caller& caller, HandleId handle);
  Result<size_t> write(HandleId handle, uint64_t offset, std::string_view bytes, WriteFrom from = WriteFrom::kProgram,
                       const Waiting& waiting = {});
  /// True if flush(), sync() and release() of this handle have much to hash or write: not for the kernel's workers.
  bool flush_is_long(HandleId handle);
  /// Publishes unpublished writes of the file, and ends the POSIX locks of `lock_owner` on it.
  Status flush(const Caller& caller, HandleId handle, uint64_t lock_owner);
  /// Ends the handle; a flock of `flock_owner` goes with it. Never fails for the caller: what cannot be published stays
  /// staged and is logged.
  void release(const Caller& caller, HandleId handle, std::optional<uint64_t> flock_owner);
  /// What was written until now is as safe as the mount's durability says when it returns. Beyond kLocal that waits for
  /// the object store, however long, until `keep_going` says no: then Interrupted.
  Status sync(const Caller& caller, HandleId handle, bool data_only, const std::function<bool()>& keep_going);
  bool sync_waits_for_store() const;
  /// A call that failed so is to be tried again, as there was no room and this mount waits for it. Never blocks.
  bool waits_for_room(const Error& failure) const;
  /// Blocks: a moment, in which some may come.
  void wait_for_room();
  /// The handle was opened with O_SYNC or O_DSYNC: every write of a program to it is followed by a sync().
  bool syncs_writes(HandleId handle);
  /// fallocate(2): mode bits as the kernel has them.
  Status allocate(const Caller& caller, HandleId handle, uint32_t mode, uint64_t offset, uint64_t length);
  /// SEEK_DATA and SEEK_HOLE; NoDevice behind the end.
  Result<uint64_t> seek(HandleId handle, uint64_t offset, bool data);
  /// Bytes copied. Whole chunks of published content are shared, not copied.
  Result<uint64_t> copy_range(const Caller& caller, HandleId from, uint64_t from_offset, HandleId to,
                              uint64_t to_offset, uint64_t length);

  // Directories. They have no handles: a cookie stands for the same place in every listing, now and later.
  /// Calls `take` for each entry behind `cookie` until it returns false (buffer full) or the directory ends. Handles
  /// "." and ".." too.
  Status read_directory(KernelNode node, uint64_t cookie, bool plus,
                        const std::function<bool(const DirectoryItem&)>& take);
  Status sync_directory();

  // Locks.
  /// The first lock that conflicts with `wanted`, or one of type kNone.
  Result<Lock> get_lock(KernelNode node, const Lock& wanted);
  /// Takes, changes or (kNone) releases. With `wait`, `done` is called when granted; without, soon. Interrupted
  /// after interrupt_lock(). Writes made under a lock are published before it is released; who gets a lock that others
  /// nodes see reads what these have published.
  void set_lock(const Caller& caller, KernelNode node, HandleId handle, const Lock& wanted, bool wait, LockDone done);
  /// set_lock() would have much to hash or write.
  bool lock_is_long(HandleId handle, const Lock& wanted);
  void interrupt_lock(const Caller& caller);
  /// Locks hold among all nodes.
  bool shares_locks() const { return shared_locks_ != nullptr; }
  /// Another node was found dead in this epoch. Never blocks.
  void node_died(NodeId node, uint64_t epoch);

  Core& core() { return *core_; }

 private:
  explicit Filesystem(std::unique_ptr<Core> core);
  Result<CreatedFile> open_new(const Caller& caller, const Inode& inode, int open_flags);
  Opened add_handle(const Caller& caller, std::shared_ptr<Handle> handle, Opened opened);
  /// Of a file with unpublished content the change travels with that, where it can. The inode as it was or is then.
  Result<Inode> change_inode(const Caller& caller, const FileRef& file, InodeId id,
                             const meta::AttributeChange& change);
  Result<Bytes> get_capability(KernelNode node);
  /// The answer to a request that a predecessor did, as far as its handle; nothing if it did not.
  std::optional<Opened> opened_before(const Caller& caller);

  std::unique_ptr<Core> core_;
  SharedLocks* shared_locks_ = nullptr;  // of the core; null: locks are this node's own
};

}  // namespace weir::vfs
