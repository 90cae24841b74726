#pragma once

#include <atomic>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/file_descriptor.h"
#include "base/mutex.h"
#include "base/result.h"
#include "cache/image_table.h"
#include "model/manifest.h"

namespace weir::cache {

class Cache;

/// One sparse file that holds a content's bytes at their natural offsets, whole or in part. There is one Image object a
/// manifest at a time; while somebody holds it, it is not evicted. Thread-safe.
class Image {
 public:
  ~Image();

  const ManifestId& id() const { return id_; }
  const Manifest& manifest() const { return *manifest_; }
  /// Every chunk is here. Never becomes false again.
  bool complete() const { return missing_.load(std::memory_order_acquire) == 0; }
  /// Holes are always here.
  bool has(uint64_t index) const;
  uint64_t missing_chunks() const { return missing_.load(std::memory_order_acquire); }

  /// Copies bytes [offset, offset + buffer.size()) of the content. Requires: the chunks in that range are here, and the
  /// range ends within the size. Stale: taken(). Blocks on the local disk.
  Status read(uint64_t offset, std::span<char> buffer) const;
  /// The bytes of chunk `index`, which the caller has checked against its id. Idempotent; concurrent calls for the same
  /// chunk are fine. When the last one is in, the file is synced and takes its final name. NoSpace leaves it as it was.
  Status fill(uint64_t index, std::string_view bytes);
  /// Descriptor of the file, for sendfile, mmap and passthrough. Owned by the image.
  int fd() const { return fd_.get(); }
  /// Its file is being written (Cache::finish_take_over): whoever wants the content opens the image again.
  bool taken() const { return taken_.load(std::memory_order_acquire); }
  /// The kernel reads the file for one inode at a time, since a writer of that inode takes the file over. False: it
  /// does for another one.
  bool lend(InodeId inode);
  /// lend() would probably be true.
  bool may_lend(InodeId inode) const;
  void give_back(InodeId inode);
  /// Readers of the inode may see the file, also by a mapping that is left: what is written must be written into it.
  bool is_shown_to(InodeId inode) const;

 private:
  friend class Cache;
  Image(Cache& cache, ManifestId id, std::shared_ptr<const Manifest> manifest, FileDescriptor fd);
  /// What is here: chunks of `present`, and holes. Empty: nothing but holes. `unverified`: see read_unverified().
  void set_present(const std::vector<bool>& present, std::vector<bool> unverified);
  void set_complete() { missing_.store(0, std::memory_order_release); }
  /// The chunk's bytes are in the file from now on. False if that was known.
  bool mark_present(uint64_t index);
  /// Of an incomplete image: which chunks are here.
  std::vector<bool> present() const;
  /// No byte in it is of any use.
  bool is_empty() const;
  /// Bytes of a chunk that may be in the file: here before a power loss, and not looked at since. False: certainly not.
  Result<bool> read_unverified(uint64_t index, std::span<char> buffer) const;

  Cache& cache_;
  const ManifestId id_;
  const std::shared_ptr<const Manifest> manifest_;
  const FileDescriptor fd_;
  Mutex writing_;  // one chunk at a time is written to the file
  mutable Mutex mutex_;
  std::vector<bool> present_ GUARDED_BY(mutex_);      // of use while something is missing
  std::vector<bool> unverified_ GUARDED_BY(mutex_);   // empty if there are none
  std::vector<uint32_t> unsaved_ GUARDED_BY(mutex_);  // became present since the index was told
  std::atomic<uint64_t> missing_{0};
  std::atomic<bool> lost_{false};  // the disk failed; the file is not used again
  std::atomic<bool> taken_{false};
  std::atomic<uint64_t> lent_to_{0};                // inode; 0: none
  std::shared_ptr<ImageEntry::Open> taken_owners_;  // once taken(); guarded by the content's lock
};

}  // namespace weir::cache
