#include "vfs/admin.h"

#include <set>

#include "meta/attributes.h"
#include "model/chunk.h"
#include "vfs/collector.h"
#include "vfs/core.h"
#include "vfs/publisher.h"
#include "vfs/tree.h"
#include "vfs/uploader.h"

namespace weir::vfs {

namespace {

constexpr int64_t kPollMs = 10;
// The kernel tells of the end of an open file only after close() has returned, and the uploader lets go of an image
// only after the volume knows that it is stored: who closed, or synced, and evicts then, shall not be told that it is
// in use.
constexpr int64_t kSettleMs = 2000;

/// What a command does to one file; bytes that count as done.
using FileWork = std::function<Result<uint64_t>(const Inode&)>;

Result<TreeProgress> work_on_tree(Core& core, InodeId top, const FileWork& work, const TreeWatcher& watch) {
  TreeProgress progress;
  TRY(visit_files(core, top, [&](const Inode& inode, const std::string&) {
    ++progress.files_total;
    progress.bytes_total += inode.size;
    return true;
  }));
  bool stopped = false;
  TRY(visit_files(core, top, [&](const Inode& inode, const std::string& path) {
    Result<uint64_t> done = work(inode);
    if (done) progress.bytes_done += *done;
    if (!done && done.error().code == Code::kNotFound) done = 0;  // removed meanwhile
    if (!done) {
      ++progress.failed;
      progress.last_error = path.empty() ? done.error().what : fmt::format("{}: {}", path, done.error().what);
    }
    ++progress.files_done;
    stopped = watch && !watch(progress);
    return !stopped;
  }));
  if (stopped)
    return error(Code::kInterrupted, "stopped after {} of {} files", progress.files_done, progress.files_total);
  return progress;
}

Status publish_if_open(Core& core, InodeId inode) {
  FileRef file = core.files.find(inode);
  if (!file) return {};
  Status published = publish(core, {}, *file);
  core.let_go(std::move(file));
  return published;
}

Result<uint64_t> sync_file(Core& core, InodeId id, meta::ContentState state, const std::function<bool()>& keep_going) {
  TRY(publish_if_open(core, id));
  FileRef file = core.files.acquire(id);
  Status synced = sync_published(core, *file);
  core.let_go(std::move(file));
  TRY(synced);
  if (state != meta::ContentState::kLocal) TRY(wait_until_stored(core, id, keep_going));
  ASSIGN_OR_RETURN(Inode inode, meta::get_inode(core.volume, id));
  return inode.size;
}

/// Publishes what is open below `top` and makes all of it safe here, with one barrier for all. The files of which that
/// is not true.
Result<std::set<InodeId>> make_tree_safe(Core& core, InodeId top) {
  std::set<InodeId> unpublished;
  TRY(visit_files(core, top, [&](const Inode& inode, const std::string&) {
    if (!publish_if_open(core, inode.id)) unpublished.insert(inode.id);
    return true;
  }));
  TRY(core.cache.barrier());
  TRY(core.barrier());
  return unpublished;
}

Result<uint64_t> warm_file(Core& core, const Inode& inode) {
  FileRef file = core.files.acquire(inode.id);
  auto warm = [&]() -> Status {
    ASSIGN_OR_RETURN(auto version, core.version_of(*file));
    if (!version->has_image()) {
      auto bytes = version->whole();
      return bytes ? Status() : Status(Failure(bytes.error()));
    }
    ASSIGN_OR_RETURN(auto image, version->image());
    core.filler.start(image, 0);
    return core.filler.wait(image);
  };
  Status warmed = warm();
  core.let_go(std::move(file));
  TRY(warmed);
  return inode.size;
}

struct Names {
  ManifestId manifest;
  std::vector<ChunkId> chunks;
};

Result<Names> names_of(Core& core, const Inode& inode) {
  if (inode.type != FileType::kFile || inode.content.form == weir::Content::Form::kInline) return Names{};
  ASSIGN_OR_RETURN(auto chunks, meta::load_chunks(core.volume, inode));
  return Names{inode.content.manifest, std::move(chunks)};
}

/// Drops what the cache has of the file. Busy when it is in use, whether its bytes come from the kernel's cache or
/// ours.
Status drop_idle(Core& core, const Inode& inode, const Names& names) {
  if (core.files.in_use(inode.id)) return error(Code::kBusy, "the file is open");
  return inode.size <= limits::kSmallContentBytes ? core.cache.evict_small(names.chunks[0])
                                                  : core.cache.evict_image(names.manifest);
}

/// The same, but waits until the deadline for the file to become idle.
Status drop(Core& core, const Inode& inode, const Names& names, int64_t deadline_ns) {
  while (true) {
    Status dropped = drop_idle(core, inode, names);
    if (dropped || dropped.error().code != Code::kBusy || core.volume.clock().monotonic_ns() >= deadline_ns)
      return dropped;
    core.volume.clock().sleep_ms(kPollMs);
  }
}

Result<uint64_t> evict_file(Core& core, const Inode& inode, int64_t deadline_ns) {
  ASSIGN_OR_RETURN(Names names, names_of(core, inode));
  if (names.manifest.is_zero()) return uint64_t{0};
  if (inode.size <= limits::kSmallContentBytes) {
    if (names.chunks[0].is_zero()) return uint64_t{0};
    ASSIGN_OR_RETURN(auto kept, core.cache.get_small(names.chunks[0]));
    if (!kept) return uint64_t{0};
    TRY(drop(core, inode, names, deadline_ns));
    return inode.size;
  }
  auto present = core.cache.present_chunks(names.manifest);
  if (!present) return uint64_t{0};
  TRY(drop(core, inode, names, deadline_ns));
  return std::min(inode.size, *present * limits::kChunkBytes);
}

Status count_cached(Core& core, const Names& names, FileStatus& status) {
  if (status.form == "small") {
    ASSIGN_OR_RETURN(auto kept, core.cache.get_small(names.chunks[0]));
    status.chunks_cached = kept && status.holes == 0 ? 1 : 0;
  } else if (status.form == "image") {
    status.chunks_cached = core.cache.present_chunks(names.manifest).value_or(0);
  }
  status.complete = status.chunks_cached + status.holes == status.chunks;
  return {};
}

}  // namespace

Result<FileStatus> file_status(Filesystem& filesystem, InodeId id) {
  Core& core = filesystem.core();
  ASSIGN_OR_RETURN(Inode inode, meta::get_inode(core.volume, id));
  FileStatus status;
  status.inode = id;
  status.type = inode.type;
  status.size = inode.size;
  status.generation = inode.generation;
  ASSIGN_OR_RETURN(Names names, names_of(core, inode));
  status.manifest = names.manifest;
  status.chunks = names.chunks.size();
  status.form = names.manifest.is_zero() ? "inline" : inode.size <= limits::kSmallContentBytes ? "small" : "image";
  std::vector<ChunkId> real;
  for (const ChunkId& chunk : names.chunks)
    if (!chunk.is_zero()) real.push_back(chunk);
  status.holes = names.chunks.size() - real.size();
  TRY(count_cached(core, names, status));
  ASSIGN_OR_RETURN(auto records, meta::chunk_records(core.volume, real));
  for (const auto& record : records)
    if (record && record->state == ChunkState::kStored) ++status.chunks_stored;
  status.state = status.chunks_stored == real.size() ? meta::ContentState::kStored : meta::ContentState::kLocal;
  status.open_handles = core.files.users(id);
  if (FileRef file = core.files.find(id)) {
    {
      MutexLock lock(file->mutex);
      status.unpublished = file->draft && file->draft->changed();
    }
    core.let_go(std::move(file));
  }
  return status;
}

Result<TreeProgress> sync_tree(Filesystem& filesystem, InodeId top, meta::ContentState state,
                               const TreeWatcher& watch) {
  Core& core = filesystem.core();
  ASSIGN_OR_RETURN(const Inode top_inode, meta::get_inode(core.volume, top));
  const bool is_tree = top_inode.type == FileType::kDirectory;
  std::set<InodeId> one_by_one;
  if (is_tree) {
    ASSIGN_OR_RETURN(one_by_one, make_tree_safe(core, top));
  }
  TreeProgress last;
  const auto keep_going = [&] { return !watch || watch(last); };
  const auto sync = [&](const Inode& inode) -> Result<uint64_t> {
    if (!is_tree || one_by_one.contains(inode.id)) return sync_file(core, inode.id, state, keep_going);
    if (state != meta::ContentState::kLocal) TRY(wait_until_stored(core, inode.id, keep_going));
    return inode.size;
  };
  return work_on_tree(core, top, sync, [&](const TreeProgress& progress) {
    last = progress;
    return keep_going();
  });
}

Result<TreeProgress> warm_tree(Filesystem& filesystem, InodeId top, const TreeWatcher& watch) {
  Core& core = filesystem.core();
  return work_on_tree(
      core, top, [&](const Inode& inode) { return warm_file(core, inode); }, watch);
}

Result<TreeProgress> evict_tree(Filesystem& filesystem, InodeId top, const TreeWatcher& watch) {
  Core& core = filesystem.core();
  KernelCache* kernel_cache = core.kernel_cache;
  const int64_t deadline_ns = core.volume.clock().monotonic_ns() + kSettleMs * 1'000'000;
  auto progress = work_on_tree(
      core, top,
      [&](const Inode& inode) {
        auto freed = evict_file(core, inode, deadline_ns);
        if (freed && kernel_cache != nullptr) kernel_cache->drop_content(KernelNode::of(inode.id, 0));
        return freed;
      },
      watch);
  if (kernel_cache != nullptr) kernel_cache->drain();
  return progress;
}

Result<meta::CollectReport> collect(Filesystem& filesystem, bool ignore_grace, const meta::KeepGoing& keep_going) {
  return collect_garbage(filesystem.core(), ignore_grace, keep_going);
}

FilesystemStatus status(Filesystem& filesystem) {
  Core& core = filesystem.core();
  FilesystemStatus status;
  status.cache = core.cache.usage();
  if (core.uploader) status.upload = core.uploader->status();
  status.reads.cache_bytes = core.fetcher.counters().cache_bytes;
  status.reads.store_bytes = core.fetcher.counters().store_bytes;
  status.reads.peer_bytes = core.fetcher.holders().bytes_brought;
  status.reads.corrupt_chunks = core.fetcher.counters().corrupt_chunks + core.fetcher.holders().corrupt_chunks;
  status.reads.fills_running = core.filler.running();
  status.open_handles = core.handles.size();
  for (FileRef& file : core.files.all()) {
    {
      MutexLock lock(file->mutex);
      if (file->draft && file->draft->changed()) ++status.unpublished_files;
    }
    ++status.open_files;
    core.let_go(std::move(file));
  }
  status.reports = core.reports();
  return status;
}

uint64_t drain_uploads(Filesystem& filesystem, int64_t timeout_ms, const std::function<void(uint64_t)>& watch) {
  Core& core = filesystem.core();
  return core.uploader ? core.uploader->drain(timeout_ms, watch) : core.cache.usage().unstored_bytes;
}

}  // namespace weir::vfs
