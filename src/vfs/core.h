#pragma once

#include <atomic>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/thread_pool.h"
#include "meta/slot_pool.h"
#include "vfs/backing_files.h"
#include "vfs/chunk_buffers.h"
#include "vfs/fetcher.h"
#include "vfs/file.h"
#include "vfs/filesystem.h"
#include "vfs/filler.h"
#include "vfs/handle_table.h"
#include "vfs/kept_pages.h"
#include "vfs/known_names.h"
#include "vfs/last_shown.h"
#include "vfs/locks.h"
#include "vfs/stale_opens.h"
#include "vfs/told_attributes.h"
#include "vfs/told_names.h"

namespace weir::vfs {

class Uploader;
class Janitor;

/// The parts that the operations of a filesystem share. Thread-safe.
class Core {
 public:
  Core(meta::Volume& volume, cache::Cache& cache, object::ObjectStore& store, std::shared_ptr<SharedMemory> memory,
       const FilesystemOptions& options);
  ~Core();

  Sources sources() { return {volume, cache, fetcher, filler}; }
  /// The name of a kernel's request in the metadata: unlike that of any other mount of this node.
  meta::RequestId request(const Caller& caller) const { return {request_base_ + caller.unique}; }
  uint64_t request_base() const { return request_base_; }
  /// The mutation of this request was done by a predecessor whose answer was lost, or was sent to a metadata server
  /// that went away then: all that comes before it was done.
  bool may_be_done(const Caller& caller) { return volume.slots().may_be_done(request(caller).value); }
  /// Something that a user must be told: shown by `weir status` until the next start, and logged.
  void report(std::string what);
  std::vector<std::string> reports() const;
  meta::IsOpen is_open() {
    return [this](InodeId inode) { return files.in_use(inode); };
  }

  /// The published content of the file, loaded if it is not yet. NotFound: the inode is gone.
  Result<std::shared_ptr<Version>> version_of(File& file);
  /// The same; `inode` is what would be read.
  Result<std::shared_ptr<Version>> version_of(File& file, const Inode& inode);
  /// `inode` as stat shows it: with the size and times of unpublished writes, or, by the node id of an older content,
  /// with those of that. `begun` is what `publications` was before `inode` was read: what was a draft then may be
  /// published since, and is read again.
  Attributes attributes_of(const Inode& inode, uint64_t begun, KernelNode node);
  /// What the kernel is told of an inode by a name.
  Entry entry_of(const Inode& inode, uint64_t begun, InodeId parent, std::string_view name);
  /// The same without a name.
  Entry entry_of(const Inode& inode, uint64_t begun);
  /// The kernel is told these attributes of what was read as `inode`, and may go by them for their lifetime.
  void told(KernelNode node, const Inode& inode, const Attributes& attributes);
  /// Of an inode that another node removed: what the node id's open file shows, or, not open, what the kernel was told
  /// of it and may still go by. Nothing otherwise. The kernel shall not keep them.
  std::optional<Attributes> attributes_shown(KernelNode node);
  /// The same for who asks for nothing but them: or what it has looked up for this call.
  std::optional<Attributes> attributes_shown(KernelNode node, const Caller& caller);
  /// Where a draft that begins now keeps its bytes.
  Draft::Place draft_place(InodeId inode) { return {cache, *memory, inode, volume.membership().fencings}; }
  /// Of the node id by which the kernel shall know the inode.
  uint16_t epoch_of(InodeId inode);
  /// The kernel knows the inode by a newer node id.
  bool is_former(KernelNode node);
  /// Takes note of published content of this node's. Requires: `file.generation` is that of before.
  void published_here(File& file, std::shared_ptr<Version> version, const Inode& inode) REQUIRES(file.mutex);
  /// What the kernel was told of the file's attributes is not so any more: this node changed its content.
  void changed_here(File& file) REQUIRES(file.mutex);
  /// fcntl locks were taken through the handle: closing it ends those that closing of descriptors did not.
  void took_locks(HandleId id, Handle& handle, uint64_t owner);
  /// A descriptor of the handle is closed by this owner, or all are (nothing): the locks go that end with it.
  void end_locks(HandleId id, Handle& handle, std::optional<uint64_t> owner);
  /// The user lets go of the file; the last one of an orphan erases it.
  void let_go(FileRef file);
  /// A file lost a name, as `removed` says: if it is still in use it goes when its last user does.
  void removed(const meta::Removed& removed);
  /// The file's draft carries attributes from now on, at most limits::kSharedDrafts between two calls of
  /// take_carrying().
  void carries_from_now(InodeId inode);
  bool may_carry_more() const;
  /// Those that began so long ago or longer.
  std::vector<InodeId> take_carrying(int64_t since_ms);
  /// The draft could not be published when its last handle was closed: tried again by the janitor.
  void keep_unpublished(FileRef file);
  /// What a published draft left for a later life goes with the next barrier of the metadata.
  void drop_after_barrier(Draft::Leftovers leftovers);
  /// Makes all that was published until now survive power loss. Blocks.
  Status barrier();
  std::vector<FileRef> take_unpublished();

  meta::Volume& volume;
  cache::Cache& cache;
  object::ObjectStore& store;
  const FilesystemOptions options;
  const bool shared;  // other nodes may change the volume
  const std::shared_ptr<SharedMemory> memory;
  ChunkBuffers buffers;
  Fetcher fetcher;
  Filler filler;
  ThreadPool hash_pool;
  FileTable files;
  HandleTable<Handle> handles;
  std::unique_ptr<Locks> locks;
  /// Contents that lie in the cache's journal and are not published yet. While there are any, a journal record whose
  /// chunks are unknown to the volume may belong to one of them.
  std::atomic<uint64_t> open_publications = 0;
  std::atomic<uint64_t> publications = 0;              // since the start; counted under the file's mutex
  std::atomic<KernelCache*> kernel_cache = nullptr;    // null: no kernel
  std::atomic<BackingFiles*> backing_files = nullptr;  // null: the kernel cannot, or must not
  std::atomic<bool> direct_writes = false;             // as OpenModes::Wish
  std::atomic<bool> said_no_passthrough = false;
  LastShown root_shown;                     // where nodes share the volume: for while their server is out of reach
  std::atomic<bool> superseded = false;     // open content, by another node, and the janitor has not looked yet
  std::atomic<bool> epochs_in_use = false;  // some node id has or had an epoch other than 0
  StaleOpens stale_opens;
  ToldNames told_names;                // where `shared`
  KnownNames known_names;              // the same
  ToldAttributes told_attributes;      // the same
  KeptPages kept_pages;                // the same
  Mutex collecting;                    // one collector at a time
  std::unique_ptr<Uploader> uploader;  // null when options.upload is false
  std::unique_ptr<Janitor> janitor;

 private:
  Attributes attributes_again(const Attributes& before);
  /// Size and times of what the node id shows, if that is not what is published.
  void show_own(File& file, const Inode& inode, Attributes& attributes) REQUIRES(file.mutex);

  const uint64_t request_base_;
  mutable Mutex mutex_;
  std::vector<std::string> reports_ GUARDED_BY(mutex_);
  std::vector<FileRef> unpublished_ GUARDED_BY(mutex_);
  std::deque<std::pair<InodeId, int64_t>> carrying_ GUARDED_BY(mutex_);  // since when
  std::vector<Draft::Leftovers> leftovers_ GUARDED_BY(mutex_);
};

}  // namespace weir::vfs
