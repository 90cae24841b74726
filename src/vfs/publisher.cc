#include "vfs/publisher.h"

#include <atomic>

#include "base/fault_point.h"
#include "base/io.h"
#include "base/limits.h"
#include "base/log.h"
#include "model/chunk.h"
#include "vfs/bring.h"
#include "vfs/conflict_copy.h"
#include "vfs/opens.h"
#include "vfs/uploader.h"

namespace weir::vfs {

namespace {

constexpr int64_t kPollMs = 10;

Result<ChunkId> hash_task(const Draft::HashTask& task) {
  thread_local Bytes buffer;
  buffer.resize(limits::kChunkBytes);
  ASSIGN_OR_RETURN(size_t got, io::read_at(task.fd.get(), buffer.data(), task.length, chunk_offset(task.index)));
  // The staging file has the content's size; a short read means that it was truncated meanwhile.
  if (got != task.length) return error(Code::kConflict, "chunk {} was truncated while it was hashed", task.index);
  return chunk_id_of(std::string_view(buffer.data(), got));
}

struct HashWork {
  std::vector<Draft::HashTask> tasks;
  std::vector<std::optional<ChunkId>> ids;
  std::atomic<size_t> next = 0;
  Mutex mutex;
  ConditionVariable changed;
  size_t done GUARDED_BY(mutex) = 0;

  void run() {
    for (size_t i = next++; i < tasks.size(); i = next++) {
      auto id = hash_task(tasks[i]);
      if (id) ids[i] = *id;
      MutexLock lock(mutex);
      if (++done == tasks.size()) changed.notify_all();
    }
  }
};

/// Hashes every changed chunk, on this thread and the hash pool.
void hash_all(Core& core, File& file) {
  auto work = std::make_shared<HashWork>();
  // Another writer may go on without a pause; what it changes from here on is not waited for.
  uint64_t begun = 0;
  {
    MutexLock lock(file.mutex);
    begun = Draft::next_serial();
    if (!file.draft || file.draft->in_memory() || file.draft->live()) return;
    work->tasks = file.draft->take_unhashed(false);
  }
  work->ids.resize(work->tasks.size());
  for (size_t helper = 1; helper < std::min(core.options.hash_threads, work->tasks.size()); ++helper)
    core.hash_pool.try_submit([work] { work->run(); });
  work->run();
  {
    MutexLock lock(work->mutex);
    while (work->done < work->tasks.size()) work->changed.wait(work->mutex);
  }
  MutexLock lock(file.mutex);
  for (size_t i = 0; i < work->tasks.size(); ++i)
    if (file.draft) file.draft->hashed(work->tasks[i], work->ids[i]);
  while (file.draft && file.draft->is_hashing(begun)) file.hashing_ended.wait(file.mutex);
}

/// Chunks that a concurrent writer changed since hash_all() are hashed here, with the writer held up.
Status hash_rest(File& file) REQUIRES(file.mutex) {
  for (const Draft::HashTask& task : file.draft->take_unhashed(true)) {
    ASSIGN_OR_RETURN(ChunkId id, hash_task(task));
    file.draft->hashed(task, id);
  }
  return {};
}

struct Prepared {
  meta::Publish change;
  std::shared_ptr<Version> version;
  ChunkId small;  // not zero: small content that lies in the journal
  std::shared_ptr<cache::Image> image;
};

Status prepare_bytes(Core& core, const Bytes& bytes, Prepared& prepared) {
  if (bytes.size() <= limits::kInlineContentBytes) {
    prepared.change.inline_bytes = bytes;
  } else {
    prepared.small = chunk_id_of(bytes);
    prepared.change.changes.push_back({0, prepared.small, !prepared.small.is_zero()});
    if (!prepared.small.is_zero()) TRY(core.cache.put_small_unstored(prepared.small, bytes));
  }
  prepared.change.replaces = true;
  prepared.version = Version::of_bytes(core.sources(), bytes, prepared.small);
  return {};
}

Status prepare_live(Core& core, File& file, Prepared& prepared) REQUIRES(file.mutex) {
  if (file.draft->size() <= limits::kSmallContentBytes) {
    Bytes bytes(file.draft->size(), '\0');
    TRY(file.draft->read(0, std::span<char>(bytes.data(), bytes.size()), {}));
    return prepare_bytes(core, bytes, prepared);
  }
  ASSIGN_OR_RETURN(prepared.image, file.draft->seal_copy());
  prepared.version = Version::of_image(core.sources(), prepared.image);
  prepared.change.changes = file.draft->changes();
  prepared.change.replaces = file.draft->replaces();
  return {};
}

Status prepare_staged(Core& core, File& file, Prepared& prepared) REQUIRES(file.mutex) {
  TRY(hash_rest(file));
  ASSIGN_OR_RETURN(prepared.image, file.draft->seal());
  prepared.version = Version::of_image(core.sources(), prepared.image);
  file.draft->rebase(prepared.version);
  prepared.change.changes = file.draft->changes();
  prepared.change.replaces = file.draft->replaces();
  return {};
}

/// Not so where it was merged with what another node published, or where that stayed and this became a conflict copy.
bool is_content_of(const Inode& inode, const Prepared& prepared) {
  if (!prepared.change.inline_bytes) return inode.content.manifest == prepared.version->manifest_id();
  if (inode.content.form != weir::Content::Form::kInline || inode.size != prepared.change.size) return false;
  Bytes bytes = inode.content.inline_bytes;
  bytes.resize(inode.size, '\0');
  return bytes == *prepared.change.inline_bytes;
}

Status sync_prepared(Core& core, const Prepared& prepared) {
  if (prepared.image) return core.cache.sync_image(*prepared.image);
  if (!prepared.small.is_zero()) return core.cache.sync_journal();
  return {};
}

void close_publication(Core& core, File& file) REQUIRES(file.mutex) {
  if (std::exchange(file.publication_open, false)) --core.open_publications;
}

Status publish_draft(Core& core, meta::RequestId request, File& file) REQUIRES(file.mutex) {
  if (!std::exchange(file.publication_open, true)) ++core.open_publications;
  Prepared prepared;
  prepared.change.inode = file.id;
  prepared.change.base_generation = file.draft->base_generation();
  prepared.change.fencings = file.draft->fencings();
  prepared.change.size = file.draft->size();
  prepared.change.attributes = file.draft->carried();
  prepared.change.attributes.ctime_ns.reset();  // that of the publish
  prepared.change.attributes.mtime_ns = file.draft->mtime_ns();
  if (file.draft->live()) {
    TRY(prepare_live(core, file, prepared));
  } else if (file.draft->in_memory()) {
    TRY(prepare_bytes(core, Bytes(file.draft->memory()), prepared));
  } else {
    TRY(prepare_staged(core, file, prepared));
  }
  // Content that replaces other content must not be lost to a power failure that the old one would have survived.
  bool replaces_content = file.version && file.version->size() > 0;
  FAULT_POINT("publish.sync.before");
  if (replaces_content) TRY(sync_prepared(core, prepared));
  FAULT_POINT("publish.sync.after");

  FAULT_POINT("publish.commit.before");
  auto published = meta::publish(core.volume, request, prepared.change);
  if (!published && published.error().code == Code::kStale && !prepared.change.replaces) {
    // Parts of chunks would have to be mixed. The last publish wins, whole.
    prepared.change.replaces = true;
    prepared.change.changes = file.draft->all_chunks();
    published = meta::publish(core.volume, request, prepared.change);
  }
  if (!published && published.error().code == Code::kFenced) {
    meta::Publish whole = prepared.change;
    if (!whole.inline_bytes && !file.draft->in_memory()) whole.changes = file.draft->all_chunks();
    whole.replaces = true;
    published = keep_conflict_copy(core, file.opened_as, prepared.change, std::move(whole));
  }
  FAULT_POINT("publish.commit.after");
  if (!published && published.error().code == Code::kNotFound) {
    // Who has it open goes on with what is in the draft.
    // What was written here no name of it has ever shown, and what it was before is not to be shown after this.
    ++core.publications;
    for (const uint16_t epoch : file.sights.all()) core.told_attributes.gone(KernelNode::of(file.id, epoch));
    file.gone = true;
    close_publication(core, file);
    return {};
  }
  if (!published) return Failure(published.error());
  const bool as_written = is_content_of(published->inode, prepared);
  core.drop_after_barrier(file.draft->take_leftovers());
  if (file.draft->live()) {
    // Merged with what another node published meanwhile, the content is not what is seen here: as if that had not been.
    if (as_written) core.published_here(file, prepared.version, published->inode);
    file.version = prepared.version;
    Status noted = file.draft->published(prepared.version, file.generation, core.volume.membership().fencings);
    if (noted) noted = file.draft->note();
    if (!noted) log::warning("a successor would publish inode {} again: {}", file.id.value, noted.error().what);
  } else {
    core.published_here(file, as_written ? prepared.version : nullptr, published->inode);
    file.draft.reset();
  }
  core.changed_here(file);
  file.unsynced = !replaces_content;
  close_publication(core, file);
  ++core.publications;
  if (core.uploader) core.uploader->wake();
  return {};
}

/// Small content that was staged goes back to memory, and all that is staged is hashed.
Status publish_once(Core& core, meta::RequestId request, File& file) {
  TRY(with_needed(
      core, file,
      [](const Draft& draft, const Given& given) -> std::optional<uint64_t> {
        if (draft.in_memory() || draft.size() > limits::kSmallContentBytes) return std::nullopt;
        return draft.needed_to_read(0, draft.size(), given);
      },
      [](Draft& draft, const Given& given) { return draft.settle(given); }));
  hash_all(core, file);
  MutexLock lock(file.mutex);
  if (!file.draft || file.gone) return {};
  if (file.draft->live() && file.draft->mapped()) TRY(file.draft->find_stores());
  if (file.draft->changed()) return publish_draft(core, request, file);
  if (!file.draft->live()) file.draft.reset();
  return {};
}

/// Copies the chunks that the draft shares with other files, one at a time. False: there are none.
Result<bool> bring_shared(Core& core, File& file) {
  uint64_t brought = 0;
  for (bool more = true; more;) {
    more = false;
    TRY(with_needed(
        core, file,
        [](const Draft& draft, const Given& given) -> std::optional<uint64_t> {
          auto index = draft.first_shared();
          return index ? draft.needed_to_read(chunk_offset(*index), 1, given) : std::nullopt;
        },
        [&](Draft& draft, const Given& given) -> Status {
          auto index = draft.first_shared();
          more = index.has_value();
          brought += more ? 1 : 0;
          return index ? draft.bring(*index, given) : Status();
        }));
  }
  return brought > 0;
}

/// What was published was merged with what another node had published meanwhile.
Status show_merged(Core& core, File& file) {
  {
    MutexLock lock(file.mutex);
    if (file.version || file.draft || file.sights.none()) return {};
  }
  auto version = core.version_of(file);
  if (!version) return version.error().code == Code::kNotFound ? Status() : Status(Failure(version.error()));
  std::vector<uint16_t> epochs;
  {
    MutexLock lock(file.mutex);
    epochs = file.sights.all();
  }
  return show_to(core, file, epochs);
}

/// What was stored through a mapping told nobody.
void show_stores(Core& core, File& file) {
  uint16_t epoch = 0;
  {
    MutexLock lock(file.mutex);
    if (!file.draft || !file.draft->mapped()) return;
    epoch = file.sights.current();
  }
  show_change(core, file, epoch);
}

}  // namespace

Status publish(Core& core, meta::RequestId request, File& file) {
  MutexLock publishing(file.publishing);
  Status published = publish_once(core, request, file);
  show_stores(core, file);
  if (published && core.shared) {
    if (Status shown = show_merged(core, file); !shown)
      log::warning("inode {}, merged with what another node wrote, is not shown yet: {}", file.id.value,
                   shown.error().what);
  }
  if (published || published.error().code != Code::kUnavailable) return published;
  // A chunk that was shared may have lost the content that named it, and its object.
  auto brought = bring_shared(core, file);
  return brought && *brought ? publish_once(core, request, file) : published;
}

Status commit_carried(Core& core, File& file) {
  MutexLock lock(file.mutex);
  if (!file.draft || !file.draft->carries() || file.gone) return {};
  meta::AttributeChange change = file.draft->carried();
  change.ctime_ns.reset();
  auto set = meta::set_attributes(core.volume, {}, file.id, change);
  if (!set && set.error().code == Code::kNotFound) return {};
  if (!set) return Failure(set.error());
  ++file.carried_commits;
  ++core.publications;
  return file.draft->drop_carried();
}

Status commit_carried_of(Core& core, InodeId inode) {
  FileRef file = core.files.find(inode);
  if (!file) return {};
  Status committed = commit_carried(core, *file);
  core.let_go(std::move(file));
  return committed;
}

Status settle_live(Core& core, File& file) {
  MutexLock publishing(file.publishing);
  MutexLock lock(file.mutex);
  // What another node removed is nobody's image: it goes with the last who has it open.
  if (!file.draft || !file.draft->live() || file.sights.passing() || file.gone) return {};
  if (file.draft->mapped()) {
    if (!file.draft->end_mapping()) return error(Code::kBusy, "inode {} is still mapped for writing", file.id.value);
    TRY(file.draft->find_stores());
  }
  if (file.draft->changed()) TRY(publish_draft(core, {}, file));
  if (file.gone) return {};
  if (!file.draft || file.draft->size() <= limits::kSmallContentBytes) {
    file.draft.reset();
    return {};
  }
  // Nobody shall hold the image of the copy, in whose place the whole file comes.
  file.version.reset();
  Status kept = file.draft->give_back();
  if (!kept && kept.error().code == Code::kBusy) return kept;
  if (!kept) log::warning("the file of inode {} is not kept in the cache: {}", file.id.value, kept.error().what);
  file.draft.reset();
  return {};
}

Status sync_published(Core& core, File& file) {
  bool unsynced = false;
  {
    MutexLock lock(file.mutex);
    unsynced = file.unsynced;
  }
  std::shared_ptr<Version> version;
  if (unsynced) {
    auto loaded = core.version_of(file);
    if (!loaded && loaded.error().code != Code::kNotFound) return Failure(loaded.error());
    if (loaded) version = *loaded;
  }
  // What of it is not here at all is in the object store.
  if (version && version->has_image()) {
    if (core.cache.present_chunks(version->manifest_id())) {
      ASSIGN_OR_RETURN(auto image, version->image());
      TRY(core.cache.sync_image(*image));
    }
  } else if (version && version->manifest()) {
    TRY(core.cache.sync_journal());
  }
  if (version) {
    MutexLock lock(file.mutex);
    if (file.version == version) file.unsynced = false;
  }
  return core.barrier();
}

Status wait_until_stored(Core& core, InodeId id, const std::function<bool()>& keep_going) {
  while (true) {
    ASSIGN_OR_RETURN(Inode inode, meta::get_inode(core.volume, id));
    ASSIGN_OR_RETURN(auto now, meta::content_state(core.volume, inode));
    if (now == meta::ContentState::kStored) return {};
    if (!core.uploader) return error(Code::kUnavailable, "uploads are switched off on this mount");
    if (!keep_going()) return error(Code::kInterrupted, "stopped while waiting for the upload");
    core.uploader->wake();
    core.volume.clock().sleep_ms(kPollMs);
  }
}

void hash_behind_writer(Core& core, const std::shared_ptr<File>& file) {
  std::optional<Draft::HashTask> task;
  {
    MutexLock lock(file->mutex);
    if (file->draft) task = file->draft->take_completed();
  }
  if (!task) return;
  auto shared = std::make_shared<Draft::HashTask>(std::move(*task));
  const auto job = [&core, file, shared] {
    auto id = hash_task(*shared);
    bool early = false;
    {
      MutexLock lock(file->mutex);
      if (file->draft) {
        file->draft->hashed(*shared, id ? std::optional(*id) : std::nullopt);
        early = !file->orphan && file->draft->take_early(shared->index, core.options.early_upload_bytes);
      }
      file->hashing_ended.notify_all();
    }
    if (!early || !id || !core.uploader) return;
    core.uploader->offer(
        {*id, chunk_offset(shared->index), static_cast<uint32_t>(shared->length), std::move(shared->fd)});
  };
  // A writer who is faster than the pool hashes too: otherwise close() would wait for all that is left.
  if (!core.hash_pool.try_submit(job)) job();
}

bool publishing_is_long(File& file) {
  MutexLock lock(file.mutex);
  return file.draft && !file.draft->in_memory() && (file.draft->changed() || file.draft->mapped());
}

}  // namespace weir::vfs
