#pragma once

#include <atomic>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/file_descriptor.h"
#include "base/result.h"

namespace weir::cache {

class Cache;

/// A sparse file that is being written and not yet published; bytes lie at their natural offsets. Its size is that of
/// the content. Destroying it removes the file, unless keep() was called or Cache::seal() took it. Thread rule: calls
/// on disjoint ranges may run at once; otherwise the caller orders them.
class Staging {
 public:
  ~Staging();
  uint64_t id() const { return id_; }
  int fd() const { return fd_.get(); }

  /// NoSpace when the disk is at its reserve even after eviction: nothing else is slowed by a full disk.
  Status write(uint64_t offset, std::string_view bytes);
  /// As write() at the end of the content. The file may become longer by zeros, up to the next page: so a large write
  /// that the kernel split at an odd place gets large pages in the page cache, and is mapped fast later.
  Status write_last(uint64_t offset, std::string_view bytes);
  /// Unwritten ranges read as zeros, also behind the end.
  Status read(uint64_t offset, std::span<char> buffer) const;
  Status truncate(uint64_t size);
  /// True if nobody but this object can write the file, not through a mapping either. Calls on the file must not run
  /// meanwhile.
  bool has_no_other_writer();
  /// Makes [offset, offset + length) read as zeros and frees its blocks.
  Status punch(uint64_t offset, uint64_t length);

  /// Saves what a later life must know to go on with this file (its meaning is the caller's). Survives process death at
  /// once, power loss after sync(). Replaces the record saved before.
  Status save_record(std::string_view record);
  /// The same for a successor that finds the file as this process left it: no longer of use after a power loss, and
  /// with no claim that the bytes which it speaks of are on the disk.
  Status save_handover(std::string_view handover);
  /// Bytes and record survive power loss when it returns. Many callers share one sync of the journal.
  Status sync();
  /// The file and its record stay when this object goes, for the next life of the daemon to recover.
  void keep() { kept_ = true; }

  /// The file is an image still: a take-over that was begun did not end.
  bool is_image_still() const;

  bool has_record() const { return !record_.empty() || !handover_.empty(); }

 private:
  friend class Cache;
  Staging(Cache& cache, uint64_t id, std::string path, FileDescriptor fd);
  /// Tells the cache how much of the disk the file takes.
  void account();

  Cache& cache_;
  const uint64_t id_;
  const std::string path_;
  FileDescriptor fd_;  // none once it is an image's
  bool kept_ = false;
  Bytes record_;                          // as saved; empty: none
  Bytes handover_;                        // the same
  std::atomic<uint64_t> unaccounted_{0};  // bytes written since account()
  std::atomic<uint64_t> disk_bytes_{0};
};

}  // namespace weir::cache
