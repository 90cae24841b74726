// Opening, reading, writing, publishing.
#include <fcntl.h>

#include <algorithm>

#include "base/io.h"
#include "base/log.h"
#include "vfs/bring.h"
#include "vfs/core.h"
#include "vfs/filesystem.h"
#include "vfs/foreign.h"
#include "vfs/janitor.h"
#include "vfs/opens.h"
#include "vfs/publisher.h"

namespace weir::vfs {

namespace {

/// On this node's disk.
Status sync_here(Core& core, File& file) {
  FileDescriptor staged;  // of its own: the draft may be published meanwhile
  auto has_staging = [&]() REQUIRES(file.mutex) {
    return file.draft && file.draft->changed() && file.draft->staging() != nullptr && !file.draft->live();
  };
  {
    MutexLock lock(file.mutex);
    if (has_staging()) {
      staged.reset(::fcntl(file.draft->staging()->fd(), F_DUPFD_CLOEXEC, 3));
      if (!staged.valid()) return errno_error(errno, "sync: no descriptor is free");
    }
  }
  if (staged.valid()) TRY(io::sync_data(staged.get(), "staging"));
  bool recorded = false;
  {
    MutexLock lock(file.mutex);
    if (has_staging()) {
      // Again, for what was written meanwhile: the record must not speak of bytes that a power loss could take.
      TRY(io::sync_data(file.draft->staging()->fd(), "staging"));
      TRY(file.draft->save_record(file.id));
      recorded = true;
    }
  }
  if (recorded) {
    TRY(core.cache.sync_journal());
  } else {
    TRY(publish(core, {}, file));
  }
  return sync_published(core, file);
}

/// Who only reads has nothing to do with what others write and may not be through with.
bool changes(const Handle& handle) { return handle.writable() || (handle.flags & O_TRUNC) != 0; }

/// Locks of the open file itself are left when its last descriptor is closed.
bool took_locks(Handle& handle) {
  MutexLock lock(handle.lock_owners_mutex);
  return !handle.lock_owners.empty();
}

}  // namespace

// What the kernel calls an open for execve(2), among the flags of open(2) (include/linux/fs.h, FMODE_EXEC).
constexpr int kOpenedToExecute = 0x20;

bool Handle::executes() const { return (flags & kOpenedToExecute) != 0; }
bool Handle::readable() const { return (flags & O_ACCMODE) != O_WRONLY; }
bool Handle::writable() const { return (flags & O_ACCMODE) != O_RDONLY; }

Result<Opened> Filesystem::open(const Caller& caller, KernelNode node, int flags) {
  if (auto before = opened_before(caller)) return *before;
  FoundToOpen found;
  if (core_->shared) {
    ASSIGN_OR_RETURN(found, find_to_open(*core_, caller, node));
  } else {
    found.file = core_->files.acquire(node.inode());
  }
  auto handle = std::make_shared<Handle>(std::move(found.file));
  handle->flags = flags;
  handle->epoch = node.epoch();
  auto version = core_->version_of(*handle->file);
  if (!version) {
    core_->let_go(std::move(handle->use));
    return Failure(version.error());
  }
  // Before anything is changed: whoever is told to look the name up again comes back.
  if (Status fresh = find_sight(*core_, caller, *handle->file, node, found.again); !fresh) {
    core_->let_go(std::move(handle->use));
    return Failure(fresh.error());
  }
  if (handle->writable()) ++handle->file->writers;
  if (handle->executes()) ++handle->file->executors;
  Status truncated;
  // Linux truncates for whoever may write to the file, opened read-only too; the kernel has checked that.
  if ((flags & O_TRUNC) != 0) {
    SetAttributes change;
    change.size = 0;
    change.mtime_now = true;
    auto changed = set_attributes(caller, node, change);
    // Its last name went away since it was looked up for this open, so it is nobody else's any more.
    const bool removed = !changed && found.again && changed.error().code == Code::kNotFound;
    if (!changed && !removed) truncated = Failure(changed.error());
  }
  auto opened =
      truncated ? begin_open(*core_, caller, *handle, node, found.again) : Result<Opened>(Failure(truncated.error()));
  if (!opened) {
    if (handle->writable()) --handle->file->writers;
    if (handle->executes()) --handle->file->executors;
    core_->let_go(std::move(handle->use));
    return opened;
  }
  return add_handle(caller, std::move(handle), *opened);
}

bool Filesystem::open_is_long(KernelNode node) { return catching_up_waits(*core_, node); }

std::optional<Opened> Filesystem::opened_before(const Caller& caller) {
  auto id = core_->handles.of_request(caller.unique);
  if (!id) return std::nullopt;
  auto handle = core_->handles.find(*id);
  if (!handle) return std::nullopt;
  Opened opened;
  opened.handle = *id;
  opened.keep_cache = true;
  opened.mode = (*handle)->mode;
  MutexLock lock((*handle)->file->mutex);
  opened.backing_id = (*handle)->file->backing_id;
  return opened;
}

Opened Filesystem::add_handle(const Caller& caller, std::shared_ptr<Handle> handle, Opened opened) {
  handle->mode = opened.mode;
  const HandleRecord record{handle->file->id.value,
                            static_cast<uint32_t>(handle->flags),
                            0,
                            static_cast<uint32_t>(opened.mode),
                            opened.backing_id,
                            caller.unique,
                            handle->epoch,
                            handle->file->first_epoch};
  opened.handle = core_->handles.add(std::move(handle), record);
  return opened;
}

bool Filesystem::read_is_local(HandleId id, uint64_t offset, size_t count) {
  auto handle = core_->handles.find(id);
  if (!handle) return true;
  File& file = *(*handle)->file;
  std::shared_ptr<Version> version;
  {
    MutexLock lock(file.mutex);
    if (file.draft) return !file.draft->needed_to_read(offset, count, {});
    version = file.version;
  }
  return version && version->is_local(offset, count);
}

Result<size_t> Filesystem::read(HandleId id, uint64_t offset, std::span<char> buffer, const Waiting& waiting) {
  ASSIGN_OR_RETURN(auto handle, core_->handles.find(id));
  File& file = *handle->file;
  size_t count = 0;
  bool drafted = false;
  auto clip = [&](uint64_t size) {
    count = offset >= size ? 0 : std::min<uint64_t>(buffer.size(), size - offset);
    return buffer.first(count);
  };
  TRY(with_needed(
      *core_, file,
      [&](const Draft& draft, const Given& given) { return draft.needed_to_read(offset, buffer.size(), given); },
      [&](Draft& draft, const Given& given) {
        drafted = true;
        return draft.read(offset, clip(draft.size()), given);
      },
      waiting));
  if (drafted) return count;
  ASSIGN_OR_RETURN(auto version, core_->version_of(file));
  TRY(version->read(offset, clip(version->size()), waiting));
  return count;
}

void Filesystem::stop_waiting() { core_->fetcher.stop(); }

bool Filesystem::write_is_local(HandleId id, uint64_t offset, size_t count) {
  auto handle = core_->handles.find(id);
  if (!handle) return true;
  File& file = *(*handle)->file;
  std::shared_ptr<Version> version;
  {
    MutexLock lock(file.mutex);
    if (!file.sights.others((*handle)->epoch).empty()) return false;  // it waits for the kernel
    if (file.draft) return !file.draft->needed_to_write(offset, count, {});
    version = file.version;
  }
  return version && version->is_local(0, version->has_image() ? offset + count : version->size());
}

Result<size_t> Filesystem::write(HandleId id, uint64_t offset, std::string_view bytes, WriteFrom from,
                                 const Waiting& waiting) {
  ASSIGN_OR_RETURN(auto handle, core_->handles.find(id));
  if (!handle->writable()) return error(Code::kBadHandle, "handle {} is not open for writing", id);
  settle_open(*handle);
  if (bytes.empty()) return 0;
  if (offset + bytes.size() > limits::kFileBytes || offset + bytes.size() < offset)
    return error(Code::kTooLarge, "a file has at most {} bytes", limits::kFileBytes);
  const auto kept = [&](const Draft& draft) {
    return from == WriteFrom::kProgram ? bytes : bytes.substr(0, draft.size() - std::min(draft.size(), offset));
  };
  TRY(change_draft(
      *core_, *handle->file,
      [&](const Draft& draft, const Given& given) {
        const size_t count = kept(draft).size();
        return count == 0 ? std::nullopt : draft.needed_to_write(offset, count, given);
      },
      [&](Draft& draft, const Given& given) {
        return kept(draft).empty() ? Status() : draft.write(offset, kept(draft), given);
      },
      waiting));
  show_change(*core_, *handle->file, handle->epoch);
  hash_behind_writer(*core_, handle->file);
  return bytes.size();
}

bool Filesystem::flush_is_long(HandleId id) {
  auto handle = core_->handles.find(id);
  return handle && publishing_is_long(*(*handle)->file);
}

Status Filesystem::flush(const Caller& /*caller*/, HandleId id, uint64_t lock_owner) {
  ASSIGN_OR_RETURN(auto handle, core_->handles.find(id));
  settle_open(*handle);
  // What was written under a lock is published before it is free, by whichever descriptor it goes.
  const bool unlocks = core_->locks->may_hold(handle->file->id, LockKind::kPosix, lock_owner);
  Status published = changes(*handle) || unlocks ? publish(*core_, {}, *handle->file) : Status();
  core_->end_locks(id, *handle, lock_owner);
  // A reader is not told what is wrong with what others wrote.
  return changes(*handle) ? published : Status();
}

void Filesystem::release(const Caller& /*caller*/, HandleId id, std::optional<uint64_t> flock_owner) {
  auto handle = core_->handles.find(id);
  if (!handle) return;
  File& file = *(*handle)->file;
  // A store through a mapping may have come after the last flush.
  const bool publishes = changes(**handle) || flock_owner || took_locks(**handle);
  Status published = publishes ? publish(*core_, {}, file) : Status();
  if (flock_owner) core_->locks->release_owner(file.id, LockKind::kFlock, *flock_owner);
  core_->end_locks(id, **handle, std::nullopt);
  // Only now: a successor that finds the handle does all of this again.
  auto removed = core_->handles.remove(id);
  if (!removed) return;
  if (removed->writable()) --file.writers;
  if (removed->executes()) --file.executors;
  Status ended = end_open(*core_, *removed);
  if (published && ended) {
    core_->let_go(std::move(removed->use));
    return;
  }
  if (published && ended.error().code == Code::kBusy) {
    core_->keep_unpublished(std::move(removed->use));
    core_->janitor->wake();
    return;
  }
  if (published) published = ended;
  log::error("inode {} could not be published when it was closed, and is tried again: {}", file.id.value,
             published.error().what);
  core_->keep_unpublished(std::move(removed->use));
}

bool Filesystem::waits_for_room(const Error& failure) const {
  return core_->options.wait_when_full && failure.code == Code::kNoSpace;
}

void Filesystem::wait_for_room() { core_->volume.clock().sleep_ms(limits::kFullCacheLookMs); }

bool Filesystem::sync_waits_for_store() const { return core_->options.durability != Durability::kLocal; }

bool Filesystem::syncs_writes(HandleId id) {
  auto handle = core_->handles.find(id);
  return handle && ((*handle)->flags & O_DSYNC) != 0;
}

Status Filesystem::sync(const Caller& /*caller*/, HandleId id, bool /*data_only*/,
                        const std::function<bool()>& keep_going) {
  ASSIGN_OR_RETURN(auto handle, core_->handles.find(id));
  TRY(sync_here(*core_, *handle->file));
  if (!sync_waits_for_store()) return {};
  TRY(publish(*core_, {}, *handle->file));
  Status stored = wait_until_stored(*core_, handle->file->id, keep_going);
  // Nobody can look for a file that has lost its last name.
  return !stored && stored.error().code == Code::kNotFound ? Status() : stored;
}

}  // namespace weir::vfs
