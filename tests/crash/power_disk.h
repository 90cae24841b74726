#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "base/mutex.h"
#include "base/random.h"

namespace weir::testing {

/// A disk that loses power. Everything this process does to files below one directory is followed, whoever does it: the
/// calls of the C library stand in tests/crash/power_disk_calls.cc, so RocksDB and the object store are covered too.
///
/// Fault model. Between any two calls the power goes. What was not synced by then is there, or is not, or is in part:
/// - Bytes of a file reach the disk in pages of 4 KiB, in any order; a page may be torn between sectors of 512 bytes,
/// and
///   may hold any state that it had since the last sync. A longer size may be there without its bytes (zeros).
/// - Names made, moved and removed are lost and reordered unless their directory was synced; one call is never torn,
/// and
///   calls on one name keep their order. Syncing a file does not sync its name.
/// - What was synced is there. sync_file_range() promises nothing.
/// Stores through a mapping are not followed. Thread-safe. One disk a process at a time.
class PowerDisk {
 public:
  /// What is below `root` now is on the disk.
  explicit PowerDisk(std::string root);
  ~PowerDisk();
  PowerDisk(const PowerDisk&) = delete;
  PowerDisk& operator=(const PowerDisk&) = delete;

  /// The power goes before call number `call` from now: what is left is written to `image`, a directory that does not
  /// exist. The process itself goes on, on a disk that nobody will look at.
  void cut_at(uint64_t call, uint64_t seed, std::string image);
  void cut_now(uint64_t seed, std::string image);
  bool is_cut() const;
  uint64_t calls() const;

  // For the C library's calls. Each runs the call itself, by `syscall`, and keeps account of it.
  static bool exists() { return current_.load() != nullptr; }
  /// The disk that follows this directory; null: none, or the calling thread is the disk itself.
  static PowerDisk* following(const std::string& path);
  static PowerDisk* following(int fd);
  int open(int directory, const char* path, int flags, unsigned mode);
  long write(int fd, const void* bytes, size_t count, int64_t offset);  // -1: at the descriptor's own position
  int resize(int fd, int64_t size);
  int allocate(int fd, int mode, int64_t offset, int64_t length);
  int sync(int fd);
  int sync_all(int fd);
  int make_directory(int directory, const char* path, unsigned mode);
  int rename(int from_directory, const char* from, int to_directory, const char* to, unsigned flags);
  int link(int from_directory, const char* from, int to_directory, const char* to, int flags);
  int remove(int directory, const char* path, int flags);

 private:
  using Number = uint64_t;  // of an inode
  using Place = std::pair<Number, std::string>;
  struct File {
    int fd = -1;  // of our own: it outlives its names
    bool directory = false;
    uint64_t synced_size = 0;
    std::vector<uint64_t> sizes;                         // since the last sync and the last time that it became shorter
    bool became_shorter = false;                         // since the last sync
    std::map<uint64_t, std::vector<std::string>> pages;  // what they were since then, the synced state first
  };
  /// What one call did to names; 0: there is none any more.
  struct Change {
    std::vector<std::pair<Place, Number>> effects;
  };
  class Guard;

  Number add(int fd) REQUIRES(mutex_);
  void add_tree(const std::string& path) REQUIRES(mutex_);
  Place place_of(const std::string& path) const;
  void begin_call() REQUIRES(mutex_);
  void note(Change change) REQUIRES(mutex_);
  void remember_pages(File& file, uint64_t offset, uint64_t length) REQUIRES(mutex_);
  void note_size(File& file, uint64_t size) REQUIRES(mutex_);
  void sync_file(File& file) REQUIRES(mutex_);
  void sync_names(Number directory) REQUIRES(mutex_);
  File* file_of(int fd) REQUIRES(mutex_);

  void cut(uint64_t seed, const std::string& image) REQUIRES(mutex_);
  std::map<Place, Number> names_after_cut(SeededRandom& random) const REQUIRES(mutex_);
  void write_directory(const std::map<Place, Number>& names, Number directory, const std::string& path,
                       std::map<Number, std::string>& written, SeededRandom& random) const REQUIRES(mutex_);
  void write_file(const File& file, const std::string& path, SeededRandom& random) const REQUIRES(mutex_);

  inline static constinit std::atomic<PowerDisk*> current_ = nullptr;

  const std::string root_;
  Number root_number_ = 0;
  uint64_t device_ = 0;
  mutable Mutex mutex_;
  std::map<Number, File> files_ GUARDED_BY(mutex_);
  std::map<Place, Number> synced_names_ GUARDED_BY(mutex_);
  std::vector<Change> changes_ GUARDED_BY(mutex_);  // since then, in order
  uint64_t calls_ GUARDED_BY(mutex_) = 0;
  uint64_t cut_call_ GUARDED_BY(mutex_) = UINT64_MAX;
  uint64_t cut_seed_ GUARDED_BY(mutex_) = 0;
  std::string cut_image_ GUARDED_BY(mutex_);
  bool is_cut_ GUARDED_BY(mutex_) = false;
};

/// An absolute path for what a call named.
std::string absolute_path(int directory, const char* path);

}  // namespace weir::testing
