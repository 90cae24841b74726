#pragma once

#include <atomic>
#include <condition_variable>
#include <set>
#include <thread>

#include "base/clock.h"
#include "base/mutex.h"
#include "cache/cache.h"
#include "cache/database.h"
#include "cache/directory.h"
#include "cache/hot_contents.h"
#include "cache/image_table.h"
#include "cache/index.h"
#include "cache/journal.h"
#include "cache/key_locks.h"
#include "cache/shared_sync.h"
#include "cache/small_store.h"
#include "cache/space.h"

namespace weir::cache {

/// What Cache, Image and Staging share. Every operation on one content holds that content's lock (`locks`), and takes
/// nothing else that waits for such a lock; so room on the disk is asked for before (docs/locks.md).
struct Cache::State {
  State(const Options& an_options, Clock& a_clock, Directory a_directory);
  ~State();

  // Recovery (recovery.cc, recovery_images.cc). Before anything else, by one thread.
  Status open(const LostContent& lost);
  Status open_space();
  Status open_journal(std::vector<Journal::ImageRecord>& unstored);
  Status load_journal(std::vector<Journal::ImageRecord>& unstored);
  Status open_index();
  Status load_index();
  void close_index();
  Status scan_image_files(const std::vector<Journal::ImageRecord>& unstored);
  Status recover_unstored(const Journal::ImageRecord& record, const LostContent& lost);
  Result<bool> finish_seal(const UnstoredImage& row);
  Result<std::vector<bool>> check_chunks(const UnstoredImage& row);
  Status recover_staging(const std::vector<Journal::ImageRecord>& unstored);

  /// The journal and the names of staging files that it speaks of survive power loss.
  Status sync_journal();

  // Images (image_files.cc). `_locked`: the caller holds the content's lock.
  struct ImageFile {
    FileDescriptor fd;  // none when there is no file
    bool final = false;
  };
  Result<std::shared_ptr<Image>> open_image(const ManifestId& id, const std::shared_ptr<const Manifest>& manifest);
  Result<std::shared_ptr<Image>> open_locked(const ManifestId& id, const std::shared_ptr<const Manifest>& manifest);
  Result<std::shared_ptr<Image>> open_final_locked(const ManifestId& id,
                                                   const std::shared_ptr<const Manifest>& manifest, FileDescriptor fd);
  Result<std::shared_ptr<Image>> open_partial_locked(const ManifestId& id,
                                                     const std::shared_ptr<const Manifest>& manifest,
                                                     FileDescriptor fd);
  Result<std::shared_ptr<Image>> create_locked(const ManifestId& id, const std::shared_ptr<const Manifest>& manifest);
  Result<ImageFile> open_file(const ManifestId& id, bool final_expected);
  std::shared_ptr<Image> share_locked(Image* image);
  /// The Image object of this id, even if its last owner is just letting it go.
  std::shared_ptr<Image> held_locked(const ManifestId& id);
  void release(Image* image);
  Status save_image(Image& image);
  /// `always`: also when no chunk became present since the last time.
  Status save_locked(Image& image, bool always = false);
  /// All chunks are in the file: syncs it and gives it its final name.
  Status finish(Image& image);
  Status finalize_locked(const ManifestId& id, int fd, const std::vector<IndexedChunk>& chunks);
  /// Its file is gone.
  void forget_locked(const ManifestId& id);
  Status evict_locked(const ManifestId& id);
  /// The kernel showed the file to readers, and one of them still has it mapped.
  bool is_mapped_locked(const ManifestId& id, const ImageEntry& entry);
  /// The disk had no room to tell the index of the image. What of it is not stored is found by read_unindexed().
  void index_lacks(const ManifestId& id, const Error& failed);
  bool is_unindexed(const ManifestId& id);
  /// A chunk that is not stored, of an image that the index may not know. The bytes are for the caller to check.
  Result<bool> read_unindexed(const ChunkId& id, std::span<char> buffer);
  /// Of an image that nobody has open: the chunk is in its file, `verified` or as far as one may hope.
  Result<bool> may_be_there(const ChunkPlace& place, const ImageEntry& entry, bool verified);
  /// The image's file, if the chunk is there for certain; none otherwise.
  Result<FileDescriptor> open_place(const ChunkPlace& place, const ChunkId& chunk);
  Result<bool> read_place(const ChunkPlace& place, const ChunkId& chunk, bool verified, std::span<char> buffer);

  // Sealing and upload (seal.cc, upload.cc).
  struct Sealing;
  Result<std::shared_ptr<Image>> seal(std::unique_ptr<Staging>& staging,
                                      const std::shared_ptr<const Manifest>& manifest, const std::vector<bool>& own,
                                      bool keep_record);
  Status merge_locked(Sealing& sealing, Image& image);
  Result<std::shared_ptr<Image>> become_image_locked(Sealing& sealing);
  static Status copy_chunk(int from, int to, uint64_t size, uint64_t index);
  Status mark_image_stored(const Unstored& record);
  Status index_unstored_locked(const UnstoredImage& unstored, const Image* held);

  // Taking a file over for a writer (take_over.cc).
  Result<std::unique_ptr<Staging>> begin_take_over(Image& image);
  Status finish_take_over(Image& image);
  Status give_back(std::unique_ptr<Staging>& staging, const Manifest& manifest, InodeId inode);
  Status keep_unstored_locked(const Image& image, const Journal::ImageRecord& record);

  // Small content (small_contents.cc).
  /// Nothing when it is not here.
  Result<std::shared_ptr<const Bytes>> find_small(const ChunkId& id);
  Status put_small(const ChunkId& id, std::string_view bytes);
  Status put_small_unstored(const ChunkId& id, std::string_view bytes);
  Status mark_small_stored(const Unstored& record);
  Status evict_one_small(const ChunkId& id);

  // Checking (check.cc).
  Status check_image_files(bool repair, const std::function<void(const CacheProblem&)>& report);
  Status check_image_file(const std::string& path, const std::string& name, bool repair,
                          const std::function<void(const CacheProblem&)>& report);

  // Writing and room (eviction.cc).
  Status write_admitted(int fd, std::string_view bytes, uint64_t offset);
  uint64_t stored_bytes() const { return images.stored_disk_bytes() + small->disk_bytes(); }
  uint64_t make_room(uint64_t bytes);
  uint64_t evict_images(uint64_t bytes);
  uint64_t evict_small(uint64_t bytes);
  /// Something may be evicted that could not before.
  void evictable();
  /// Wakes the housekeeper when there is more stored content than allowed, and some of it may be evicted.
  void check_limit();
  void keep_house();
  void save_uses();

  const Options options;
  Clock& clock;
  Cache* cache = nullptr;
  Directory directory;
  const Layout& layout = directory.layout();
  const uint64_t boot = directory.boot();
  std::unique_ptr<DatabaseMemory> memory;
  uint64_t segment_bytes = 0;
  std::unique_ptr<Database> index_database;
  std::unique_ptr<Database> journal_database;
  std::unique_ptr<Index> index;
  std::unique_ptr<Journal> journal;
  std::unique_ptr<SmallStore> small;
  std::unique_ptr<Space> space;
  bool index_is_new = false;
  bool recovery_done = false;

  KeyLocks locks;
  HotContents hot;
  ImageTable images;
  Mutex unindexed_mutex;
  std::set<ManifestId> unindexed GUARDED_BY(unindexed_mutex);  // since the start
  SharedSync journal_sync;
  SharedSync barrier_sync;

  std::atomic<uint64_t> next_staging_id = 1;
  std::atomic<int64_t> staging_bytes = 0;
  std::atomic<int64_t> staging_files = 0;
  std::atomic<bool> staging_names_unsynced = false;  // of files with a record
  Mutex recovered_mutex;
  std::vector<Recovered> recovered GUARDED_BY(recovered_mutex);

  std::atomic<uint64_t> evicted_bytes = 0;
  std::atomic<uint64_t> evictable_changes = 1;
  std::atomic<uint64_t> fruitless_at = 0;  // evictable_changes when there was nothing to evict
  Mutex evict_mutex;                       // one eviction at a time

  Mutex house_mutex;
  ConditionVariable house_wake;
  bool stopping GUARDED_BY(house_mutex) = false;
  bool house_work GUARDED_BY(house_mutex) = false;
  std::thread house;
};

}  // namespace weir::cache
