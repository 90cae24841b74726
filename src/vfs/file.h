#pragma once

#include <atomic>
#include <memory>
#include <unordered_map>

#include "base/mutex.h"
#include "model/ids.h"
#include "vfs/draft.h"
#include "vfs/sights.h"
#include "vfs/version.h"

namespace weir::vfs {

/// One inode's content as this node sees it: shared by all its open handles. Lock order: `publishing`, then `mutex`.
struct File {
  explicit File(InodeId inode) : id(inode) {}

  const InodeId id;
  std::atomic<size_t> writers = 0;    // handles that may write
  std::atomic<size_t> executors = 0;  // handles of running programs
  Mutex publishing;                   // held by who publishes this file
  Mutex mutex;
  ConditionVariable hashing_ended;                       // of a chunk of the draft
  std::shared_ptr<Version> version GUARDED_BY(mutex);    // what is published; null: not loaded yet
  uint64_t generation GUARDED_BY(mutex) = 0;             // of `version`
  std::unique_ptr<Draft> draft GUARDED_BY(mutex);        // what is not; null: nothing
  bool unsynced GUARDED_BY(mutex) = true;                // not known to be safe against power loss
  bool publication_open GUARDED_BY(mutex) = false;       // counted in Core::open_publications
  bool orphan GUARDED_BY(mutex) = false;                 // has no name: erased when its last user goes
  Sights sights GUARDED_BY(mutex);                       // of its open handles
  int32_t backing_id GUARDED_BY(mutex) = 0;              // of the file that the kernel reads itself; 0: none
  std::shared_ptr<cache::Image> lent GUARDED_BY(mutex);  // whose file that is; null when it is the draft's
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
  /// True if this was the last user.
  bool reset();

 private:
  FileTable* table_ = nullptr;
  std::shared_ptr<File> file_;
};

/// The files that have users. Thread-safe; never blocks.
class FileTable {
 public:
  FileRef acquire(InodeId inode);
  /// Nothing if the inode has no users.
  FileRef find(InodeId inode);
  bool in_use(InodeId inode) const;
  size_t users(InodeId inode) const;
  std::vector<FileRef> all();
  size_t size() const;

 private:
  friend class FileRef;
  struct Place {
    std::shared_ptr<File> file;
    size_t users = 0;
  };
  bool release(InodeId inode);

  mutable Mutex mutex_;
  std::unordered_map<InodeId, Place> places_ GUARDED_BY(mutex_);
};

}  // namespace weir::vfs
