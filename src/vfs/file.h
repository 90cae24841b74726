#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <unordered_map>
#include <vector>

#include "base/mutex.h"
#include "meta/look_again.h"
#include "model/ids.h"
#include "vfs/draft.h"
#include "vfs/sights.h"
#include "vfs/types.h"
#include "vfs/version.h"

namespace weir::vfs {

/// One inode's content as this node sees it: shared by all its open handles, unless another node has changed the
/// content since some of them were opened ("Several nodes" in docs/consistency.md). Lock order: `publishing`, then
/// `mutex`.
struct File {
  explicit File(InodeId inode, uint16_t from_epoch = 0) : id(inode), first_epoch(from_epoch), sights(from_epoch) {}

  const InodeId id;
  const uint16_t first_epoch;         // node ids of earlier epochs are of an older content
  std::atomic<size_t> writers = 0;    // handles that may write
  std::atomic<size_t> executors = 0;  // handles of running programs
  std::atomic<bool> locked = false;   // by a lock that other nodes see, at some time: it must be possible to catch up
  std::atomic<bool> may_have_capability = false;    // security.capability was set while the file was in use
  std::atomic<int64_t> no_capability_until_ns = 0;  // there was none, and until then nobody is asked again; 0: ask
  Mutex publishing;                                 // held by who publishes this file
  Mutex mutex;
  ConditionVariable hashing_ended;                        // of a chunk of the draft
  std::shared_ptr<Version> version GUARDED_BY(mutex);     // what is published; null: not loaded yet
  uint64_t generation GUARDED_BY(mutex) = 0;              // of `version`
  std::unique_ptr<Draft> draft GUARDED_BY(mutex);         // what is not; null: nothing
  uint64_t carried_commits GUARDED_BY(mutex) = 0;         // of what a draft carried, ahead of its content
  uint64_t mode_changes GUARDED_BY(mutex) = 0;            // made through this node
  int64_t no_setid_since_ns GUARDED_BY(mutex) = 0;        // on the monotonic clock, when it was looked; 0: not known
  bool unsynced GUARDED_BY(mutex) = true;                 // not known to be safe against power loss
  bool publication_open GUARDED_BY(mutex) = false;        // counted in Core::open_publications
  std::shared_ptr<const Inode> loaded GUARDED_BY(mutex);  // whose content `version` is; where nodes share the volume
  std::optional<uint64_t> pinned GUARDED_BY(mutex);       // the generation that is pinned for this file
  std::optional<meta::NamePlace> opened_as GUARDED_BY(mutex);  // by a writer; where nodes share the volume
  bool orphan GUARDED_BY(mutex) = false;                       // has no name: erased when its last user goes
  bool gone GUARDED_BY(mutex) = false;                         // another node removed the inode: nothing is published
  Sights sights GUARDED_BY(mutex);                             // of its open handles
  int32_t backing_id GUARDED_BY(mutex) = 0;                    // of the file that the kernel reads itself; 0: none
  std::shared_ptr<cache::Image> lent GUARDED_BY(mutex);        // whose file that is; null when it is the draft's
};

class FileTable;

/// Counts as a user of a file: while there is one, the file stays in the table and the inode counts as open. Move-only.
class FileRef {
 public:
  FileRef() = default;
  FileRef(FileTable* table, std::shared_ptr<File> file) : table_(table), file_(std::move(file)) {}
  FileRef(FileRef&& other) noexcept : table_(std::exchange(other.table_, nullptr)), file_(std::move(other.file_)) {}
  FileRef& operator=(FileRef&& other) noexcept;
  ~FileRef() { reset(); }

  File& operator*() const { return *file_; }
  File* operator->() const { return file_.get(); }
  const std::shared_ptr<File>& shared() const { return file_; }
  explicit operator bool() const { return file_ != nullptr; }
  /// Whether this was the last user, of the file and of its inode.
  struct Last {
    bool of_file = false;
    bool of_inode = false;
  };
  Last reset();

 private:
  FileTable* table_ = nullptr;
  std::shared_ptr<File> file_;
};

/// The files that have users. An inode has one, the current one, and former ones whose content another node has
/// superseded; while there are such, the current one stays without users too. Thread-safe; never blocks.
class FileTable {
 public:
  /// The current one.
  FileRef acquire(InodeId inode);
  /// The one whose node id this is.
  FileRef acquire(KernelNode node);
  /// Nothing if the inode has no users.
  FileRef find(InodeId inode);
  FileRef find(KernelNode node);
  std::vector<FileRef> all_of(InodeId inode);
  /// Makes a new file the current one of its inode, if `former` is it still, for node ids from `first_epoch` on.
  FileRef supersede(const File& former, uint16_t first_epoch);
  /// A predecessor's file.
  FileRef restore(InodeId inode, uint16_t first_epoch);
  bool in_use(InodeId inode) const;
  bool is_current(const File& file) const;
  bool has_former(InodeId inode) const;
  size_t users(InodeId inode) const;
  std::vector<FileRef> all();
  size_t size() const;

 private:
  friend class FileRef;
  struct Place {
    std::shared_ptr<File> file;
    size_t users = 0;
  };
  struct Places {
    Place current;
    std::vector<Place> former;  // by epoch
    Place& of(uint16_t epoch);
  };
  FileRef use(Place& place) {
    ++place.users;
    return FileRef(this, place.file);
  }
  Places& places_of(InodeId inode) REQUIRES(mutex_);
  FileRef::Last release(const File& file);

  mutable Mutex mutex_;
  std::unordered_map<InodeId, Places> places_ GUARDED_BY(mutex_);
};

}  // namespace weir::vfs
