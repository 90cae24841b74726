// Operations on names.
#include <fcntl.h>
#include <sys/stat.h>

#include "meta/attributes.h"
#include "vfs/core.h"
#include "vfs/filesystem.h"
#include "vfs/opens.h"
#include "vfs/publisher.h"

namespace weir::vfs {

namespace {

/// Content that is about to replace other content under its name must survive what the old one would have survived.
Status publish_before_rename(Core& core, meta::RequestId request, const Inode& moved) {
  if (moved.type != FileType::kFile) return {};
  Status published;
  for (FileRef& file : core.files.all_of(moved.id)) {
    if (published) published = publish(core, request, *file);
    core.let_go(std::move(file));
  }
  return published;
}

Status sync_before_replacing(Core& core, const Inode& moved) {
  if (moved.type != FileType::kFile || moved.content.manifest.is_zero()) return {};
  ASSIGN_OR_RETURN(auto state, meta::content_state(core.volume, moved));
  if (state == meta::ContentState::kStored) return {};
  if (moved.size <= limits::kSmallContentBytes) return core.cache.sync_journal();
  FileRef file = core.files.acquire(moved.id);
  auto version = core.version_of(*file);
  Status synced;
  if (version) {
    auto image = (*version)->image();
    synced = image ? core.cache.sync_image(**image) : Status(Failure(image.error()));
  }
  core.let_go(std::move(file));
  return synced;
}

/// The kernel moves the file that it knows by the name: it shall be the one that is there, or it looks again, once.
Status is_known(Core& core, const Caller& caller, InodeId parent, std::string_view name, InodeId inode) {
  if (!core.shared || core.known_names.of(parent, name).value_or(KnownNames::Known{inode}).is(inode)) return {};
  if (!core.stale_opens.tell_of_name(caller, parent, name)) return {};
  return error(Code::kStale, "'{}' in directory {} stands for another file than the kernel knows", name, parent.value);
}

Status prepare_rename(Core& core, const Caller& caller, KernelNode parent, std::string_view name, KernelNode new_parent,
                      std::string_view new_name, meta::RenameFlags flags) {
  ASSIGN_OR_RETURN(Inode moved, meta::lookup(core.volume, parent.inode(), name));
  TRY(is_known(core, caller, parent.inode(), name, moved.id));
  TRY(publish_before_rename(core, {}, moved));
  auto target = meta::lookup(core.volume, new_parent.inode(), new_name);
  if (target && flags.exchange) TRY(is_known(core, caller, new_parent.inode(), new_name, target->id));
  if (!target || target->size == 0) return {};
  ASSIGN_OR_RETURN(moved, meta::lookup(core.volume, parent.inode(), name));
  return sync_before_replacing(core, moved);
}

/// What another node removed may have been replaced under the name that it is known by: the kernel shall look again.
Error error_of_link(Core& core, KernelNode node, Error failure) {
  if (failure.code != Code::kNotFound) return failure;
  auto inode = meta::get_inode(core.volume, node.inode());
  if (inode || inode.error().code != Code::kNotFound) return failure;
  return Error{Code::kStale, std::move(failure.what)};
}

/// Where a file that is being written is found.
void note_name(Core& core, InodeId inode, InodeId parent, std::string_view name) {
  FileRef file = core.files.find(inode);
  if (!file) return;
  {
    MutexLock lock(file->mutex);
    file->opened_as = meta::NamePlace{parent, std::string(name)};
  }
  core.let_go(std::move(file));
}

struct Place {
  KernelNode parent;
  std::string_view name;
  meta::NamePlace as_told() const { return {parent.inode(), std::string(name)}; }
};

/// The kernel has moved what it knew by one name to another one, where `moved` is now.
void follow_move(Core& core, const Caller& caller, InodeId moved, std::optional<KnownNames::Known> known,
                 const Place& from, const Place& to) {
  core.told_names.moved(caller, moved, from.as_told(), to.as_told());
  if (!known) return;
  core.known_names.put(to.parent.inode(), to.name, known->inode);
  if (known->is(moved)) return;
  // Replaced after it was looked up for this rename, or another look-up was under way.
  for (const InodeId inode : {known->inode, known->before.value_or(known->inode)}) {
    core.told_names.moved(caller, inode, from.as_told(), to.as_told());
    // Asked for before the name has expired: it is looked up.
    if (inode == moved) continue;
    for (const uint16_t epoch : {uint16_t{0}, core.epoch_of(inode)})
      core.told_attributes.forget(KernelNode::of(inode, epoch));
  }
  if (KernelCache* kernel = core.kernel_cache) kernel->expire_name(to.parent, to.name);
}

void follow_rename(Core& core, const Caller& caller, const meta::Renamed& renamed, const Place& from, const Place& to,
                   bool exchange) {
  const auto known = core.known_names.of(from.parent.inode(), from.name);
  const auto known_there = core.known_names.of(to.parent.inode(), to.name);
  core.known_names.forget(from.parent.inode(), from.name);
  core.known_names.forget(to.parent.inode(), to.name);
  note_name(core, renamed.moved.id, to.parent.inode(), to.name);
  if (renamed.replaced && !exchange) core.told_names.forget(caller, renamed.replaced->inode.id, to.as_told());
  follow_move(core, caller, renamed.moved.id, known, from, to);
  if (renamed.replaced && exchange) follow_move(core, caller, renamed.replaced->inode.id, known_there, to, from);
}

}  // namespace

Result<Entry> Filesystem::lookup(KernelNode parent, std::string_view name, const Caller& caller) {
  const uint64_t begun = core_->publications;
  if (core_->shared) core_->stale_opens.looks_up(caller, parent.inode(), name);
  auto inode = meta::lookup(core_->volume, parent.inode(), name);
  const bool known = inode || inode.error().code == Code::kNotFound;
  const bool again =
      core_->shared && known &&
      core_->stale_opens.looked_up(caller, parent.inode(), name, inode ? std::optional(*inode) : std::nullopt);
  if (!inode) return Failure(inode.error());
  Entry entry = core_->entry_of(*inode, begun, parent.inode(), name);
  entry.once = again && inode->type != FileType::kDirectory;
  return entry;
}

Result<Entry> Filesystem::make(const Caller& caller, KernelNode parent, std::string_view name,
                               const meta::NewInode& wanted) {
  const uint64_t begun = core_->publications;
  ASSIGN_OR_RETURN(Inode inode, meta::make(core_->volume, core_->request(caller), parent.inode(), name, wanted));
  return core_->entry_of(inode, begun, parent.inode(), name);
}

Result<CreatedFile> Filesystem::create(const Caller& caller, KernelNode parent, std::string_view name,
                                       const meta::NewInode& wanted, int open_flags) {
  auto made = meta::make(core_->volume, core_->request(caller), parent.inode(), name, wanted);
  if (!made && made.error().code == Code::kExists && (open_flags & O_EXCL) == 0) {
    // Somebody else made it after the kernel looked: then this is a plain open. Of what is there now, for the kernel
    // may have looked twice already.
    if (core_->shared) core_->stale_opens.is_looked_up_for(caller);
    ASSIGN_OR_RETURN(Entry entry, lookup(parent, name, caller));
    ASSIGN_OR_RETURN(Opened opened, open(caller, entry.node, open_flags));
    // The kernel takes this for the size of a new file, whatever it knows.
    if ((open_flags & O_TRUNC) != 0) entry.attributes.size = entry.attributes.blocks_512 = 0;
    return CreatedFile{entry, opened};
  }
  if (!made) return Failure(made.error());
  ASSIGN_OR_RETURN(CreatedFile created, open_new(caller, *made, open_flags));
  if (!core_->shared) return created;
  core_->known_names.put(parent.inode(), name, made->id);
  created.entry.fleeting = !core_->told_names.tell(made->id, made->generation, parent.inode(), name);
  note_name(*core_, made->id, parent.inode(), name);
  return created;
}

Result<CreatedFile> Filesystem::create_unnamed(const Caller& caller, KernelNode parent, const meta::NewInode& wanted,
                                               int open_flags) {
  ASSIGN_OR_RETURN(Inode inode, meta::make_unnamed(core_->volume, core_->request(caller), parent.inode(), wanted));
  return open_new(caller, inode, open_flags);
}

Result<CreatedFile> Filesystem::open_new(const Caller& caller, const Inode& inode, int open_flags) {
  if (auto before = opened_before(caller)) return CreatedFile{core_->entry_of(inode, core_->publications), *before};
  auto handle = std::make_shared<Handle>(core_->files.acquire(inode.id));
  handle->flags = open_flags;
  if (handle->writable()) ++handle->file->writers;
  {
    MutexLock lock(handle->file->mutex);
    // Others may have opened it by its name already.
    handle->epoch = handle->file->sights.current();
    // Made by a predecessor for the same request, it may have been written to by others since.
    const bool empty = inode.content.form == weir::Content::Form::kInline && inode.size == 0;
    if (!handle->file->version && empty)
      core_->published_here(*handle->file, Version::of_bytes(core_->sources(), Bytes(), ChunkId()), inode);
    handle->file->orphan = inode.link_count == 0;
    if ((inode.mode & (S_ISUID | S_ISGID)) == 0) handle->file->no_setid_since_ns = core_->volume.clock().monotonic_ns();
  }
  const uint64_t begun = core_->publications;
  ASSIGN_OR_RETURN(Opened opened, begin_open(*core_, caller, *handle, KernelNode::of(inode.id, handle->epoch)));
  Entry entry = core_->entry_of(inode, begun);
  entry.node = KernelNode::of(inode.id, handle->epoch);
  return CreatedFile{entry, add_handle(caller, std::move(handle), opened)};
}

Result<Entry> Filesystem::link(const Caller& caller, KernelNode node, KernelNode parent, std::string_view name) {
  for (FileRef& file : core_->files.all_of(node.inode())) {
    Status published = publish(*core_, {}, *file);
    core_->let_go(std::move(file));
    TRY(published);
  }
  const uint64_t begun = core_->publications;
  auto linked = meta::link(core_->volume, core_->request(caller), node.inode(), parent.inode(), name);
  if (!linked) return Failure(core_->shared ? error_of_link(*core_, node, linked.error()) : linked.error());
  const Inode inode = std::move(*linked);
  for (FileRef& file : core_->files.all_of(inode.id)) {
    {
      MutexLock lock(file->mutex);
      file->orphan = false;
    }
    core_->let_go(std::move(file));
  }
  Entry entry = core_->entry_of(inode, begun, parent.inode(), name);
  // The kernel knows the other name by this node id, and one file by two of them would be two to it.
  if (!core_->files.in_use(inode.id)) entry.node = node;
  return entry;
}

Status Filesystem::unlink(const Caller& caller, KernelNode parent, std::string_view name) {
  ASSIGN_OR_RETURN(auto removed,
                   meta::unlink(core_->volume, core_->request(caller), parent.inode(), name, core_->is_open()));
  if (core_->shared) {
    core_->told_names.forget(caller, removed.inode.id, {parent.inode(), std::string(name)});
    core_->known_names.forget(parent.inode(), name);
  }
  core_->removed(removed);
  return {};
}

Status Filesystem::remove_directory(const Caller& caller, KernelNode parent, std::string_view name) {
  ASSIGN_OR_RETURN(auto removed, meta::remove_directory(core_->volume, core_->request(caller), parent.inode(), name,
                                                        core_->is_open()));
  if (core_->shared) core_->known_names.forget(parent.inode(), name);
  core_->removed(removed);
  return {};
}

Status Filesystem::rename(const Caller& caller, KernelNode parent, std::string_view name, KernelNode new_parent,
                          std::string_view new_name, meta::RenameFlags flags) {
  // It may have happened, though the answer was lost: then the old name is not there any more.
  if (!core_->may_be_done(caller)) TRY(prepare_rename(*core_, caller, parent, name, new_parent, new_name, flags));
  ASSIGN_OR_RETURN(auto renamed, meta::rename(core_->volume, core_->request(caller), parent.inode(), name,
                                              new_parent.inode(), new_name, flags, core_->is_open()));
  if (core_->shared) follow_rename(*core_, caller, renamed, {parent, name}, {new_parent, new_name}, flags.exchange);
  if (renamed.replaced && !flags.exchange) core_->removed(*renamed.replaced);
  return {};
}

Result<std::string> Filesystem::read_link(KernelNode node) {
  ASSIGN_OR_RETURN(Inode inode, meta::get_inode(core_->volume, node.inode()));
  if (inode.type != FileType::kSymlink) return error(Code::kInvalid, "inode {} is not a symlink", inode.id.value);
  return std::string(inode.symlink_target);
}

}  // namespace weir::vfs
