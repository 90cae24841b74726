#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "meta/collect.h"
#include "meta/content.h"
#include "vfs/filesystem.h"

/// What the commands of `weir` ask of a running filesystem. All block; all are thread-safe.
namespace weir::vfs {

struct FileStatus {
  InodeId inode;
  FileType type = FileType::kFile;
  uint64_t size = 0;
  uint64_t generation = 0;
  std::string form;     // "inline", "small", "image"
  ManifestId manifest;  // zero for inline content
  uint64_t chunks = 0;  // holes included
  uint64_t holes = 0;
  uint64_t chunks_cached = 0;  // of those that are not holes
  bool complete = false;       // all of it is in this node's cache
  meta::ContentState state = meta::ContentState::kLocal;
  uint64_t chunks_stored = 0;  // of those that are not holes
  bool unpublished = false;    // written since it was last published
  uint64_t open_handles = 0;
};
/// As of now, unpublished writes not counted in. NotFound.
Result<FileStatus> file_status(Filesystem& filesystem, InodeId inode);

struct TreeProgress {
  uint64_t files_total = 0;
  uint64_t files_done = 0;
  uint64_t bytes_total = 0;
  uint64_t bytes_done = 0;
  uint64_t failed = 0;
  std::string last_error;
};
/// Called now and then while a tree is worked on, and once at the end; false stops the work early (Interrupted).
using TreeWatcher = std::function<bool(const TreeProgress&)>;

/// Returns when everything below `inode` (a file or a directory), unpublished writes of open files included, is as safe
/// as `state`. Uploads of these files go first.
Result<TreeProgress> sync_tree(Filesystem& filesystem, InodeId inode, meta::ContentState state,
                               const TreeWatcher& watch);
/// Brings all content below `inode` into the node's cache. Files that fail are counted and named, and do not stop the
/// rest.
Result<TreeProgress> warm_tree(Filesystem& filesystem, InodeId inode, const TreeWatcher& watch);
/// Drops the local copies of what is stored and not in use below `inode`. bytes_done: freed. `failed`: in use or not
/// stored.
Result<TreeProgress> evict_tree(Filesystem& filesystem, InodeId inode, const TreeWatcher& watch);

/// Runs the collector; `ignore_grace` deletes what is not referenced at once.
Result<meta::CollectReport> collect(Filesystem& filesystem, bool ignore_grace, const meta::KeepGoing& keep_going);

struct UploadStatus {
  uint64_t backlog_bytes = 0;
  uint64_t backlog_contents = 0;
  int64_t oldest_age_ms = 0;
  uint64_t uploaded_bytes = 0;  // since the start
  uint64_t uploaded_chunks = 0;
  uint64_t bytes_per_second = 0;    // lately
  uint64_t deduplicated_bytes = 0;  // already in the store
  uint64_t found_bytes = 0;         // sent by an attempt whose end nobody saw, and found in the store
  uint64_t errors = 0;
  std::string last_error;
};
struct ReadStatus {
  uint64_t cache_bytes = 0;  // served from this node's disk
  uint64_t store_bytes = 0;  // fetched from the object store
  uint64_t peer_bytes = 0;   // fetched from nodes that hold what is not there yet
  uint64_t fills_running = 0;
  uint64_t corrupt_chunks = 0;  // fetched, found wrong, dropped
};
struct FilesystemStatus {
  cache::Usage cache;
  UploadStatus upload;
  ReadStatus reads;
  uint64_t open_files = 0;
  uint64_t open_handles = 0;
  uint64_t unpublished_files = 0;
  std::vector<std::string> reports;  // content lost to a power failure, files kept as conflict copies, …
};
FilesystemStatus status(Filesystem& filesystem);

/// Blocks: until everything that was closed is stored, or the time is over. Bytes that are left.
uint64_t drain_uploads(Filesystem& filesystem, int64_t timeout_ms,
                       const std::function<void(uint64_t left_bytes)>& watch);

}  // namespace weir::vfs
