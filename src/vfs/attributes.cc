// Operations on attributes.
#include "meta/attributes.h"

#include <sys/stat.h>

#include "meta/acl.h"
#include "meta/content.h"
#include "vfs/bring.h"
#include "vfs/core.h"
#include "vfs/filesystem.h"
#include "vfs/foreign.h"
#include "vfs/opens.h"
#include "vfs/publisher.h"

namespace weir::vfs {

namespace {

constexpr std::string_view kControlXattr = "user.weir.control";
constexpr std::string_view kStateXattr = "user.weir.state";
constexpr int64_t kSetidKnownNs = 1'000'000'000;
constexpr std::string_view kCapabilityXattr = "security.capability";

Status truncate(Core& core, File& file, uint64_t size) {
  if (size > limits::kFileBytes) return error(Code::kTooLarge, "a file has at most {} bytes", limits::kFileBytes);
  return change_draft(
      core, file, [&](const Draft& draft, const Given& given) { return draft.needed_to_truncate(size, given); },
      [&](Draft& draft, const Given& given) {
        Status truncated = draft.truncate(size, given);
        if (truncated && core.shared) draft.rewrite();
        return truncated;
      });
}

/// Whether the draft takes the change along to its publish.
bool carry(Core& core, File& file, meta::AttributeChange change, const Result<Inode>& inode) {
  // What an access ACL says follows the mode, and lies in the metadata.
  if (change.mode && inode && inode->has_xattrs) return false;
  if (core.shared && core.files.has_former(file.id)) return false;
  if (!core.may_carry_more()) return false;
  MutexLock lock(file.mutex);
  if (!file.draft || !file.draft->changed()) return false;
  change.mtime_ns.reset();  // the draft's own
  if (!change.ctime_ns) change.ctime_ns = core.volume.clock().realtime_ns();
  const bool carried_before = file.draft->carries();
  if (!file.draft->carry(change)) return false;
  if (!carried_before) core.carries_from_now(file.id);
  return true;
}

/// Who has opened it by this node id, maybe to truncate it, goes on with what another node has superseded since.
FileRef file_to_truncate(Core& core, KernelNode node) {
  if (!core.shared) return core.files.acquire(node.inode());
  FileRef opened = core.files.find(node);
  if (opened && opened->writers > 0) return opened;
  core.let_go(std::move(opened));
  return core.files.acquire(node.inode());
}

bool has_changes(const FileRef& file) {
  if (!file) return false;
  MutexLock lock(file->mutex);
  return file->draft && file->draft->changed();
}

}  // namespace

Result<Attributes> Filesystem::get_attributes(KernelNode node, const Caller& caller) {
  const uint64_t begun = core_->publications;
  if (core_->shared) core_->stale_opens.asks_attributes(caller, node.inode());
  // After each change of a directory the kernel asks for its attributes anew. It shall not keep those of a moment ago.
  std::optional<Inode> recent =
      core_->shared ? meta::recent_directory(core_->volume, node.inode()) : std::optional<Inode>();
  const bool is_recent = recent.has_value();
  Result<Inode> inode = is_recent ? Result<Inode>(std::move(*recent)) : meta::get_inode(core_->volume, node.inode());
  if (!inode && inode.error().code == Code::kNotFound) {
    // Another node removed it, and here it is open, or was told of a moment ago.
    if (auto shown = core_->attributes_shown(node, caller)) return *shown;
    // The kernel looks the name up again, and does so once for a call.
    if (core_->shared) core_->stale_opens.told_of_attributes(caller, node);
  }
  // Without them nobody could even ask what is the matter.
  if (!inode && inode.error().code == Code::kOutOfReach && node.inode() == kRootInode)
    if (auto last = core_->root_shown.get()) return *last;
  if (!inode) return Failure(inode.error());
  if (core_->shared) see(*core_, *inode);
  Attributes attributes = core_->attributes_of(*inode, begun, node);
  if (is_recent || core_->is_former(node) || (core_->shared && core_->stale_opens.is_in_doubt(node.inode())))
    attributes.fleeting = true;
  if (core_->shared && node.inode() == kRootInode && !is_recent) core_->root_shown.set(attributes);
  core_->told(node, *inode, attributes);
  return attributes;
}

Result<Attributes> Filesystem::set_attributes(const Caller& caller, KernelNode node, const SetAttributes& wanted) {
  int64_t now_ns = core_->volume.clock().realtime_ns();
  meta::AttributeChange change;
  change.mode = wanted.mode;
  change.uid = wanted.uid;
  change.gid = wanted.gid;
  change.atime_ns = wanted.atime_now ? now_ns : wanted.atime_ns;
  change.mtime_ns = wanted.mtime_now ? now_ns : wanted.mtime_ns;
  // Truncation is a modification, to the size that the file has as well.
  if (wanted.size && !change.mtime_ns) change.mtime_ns = now_ns;
  change.ctime_ns = wanted.ctime_ns;

  if (core_->shared && wanted.size)
    if (auto inode = meta::get_inode(core_->volume, node.inode())) see(*core_, *inode);
  FileRef file = wanted.size ? file_to_truncate(*core_, node) : core_->files.find(node.inode());
  Status done;
  if (wanted.size) done = truncate(*core_, *file, *wanted.size);
  if (wanted.size && done) show_change(*core_, *file, node.epoch());
  if (file && done) {
    MutexLock lock(file->mutex);
    if (file->draft && change.mtime_ns) {
      file->draft->set_mtime_ns(*change.mtime_ns);
      done = file->draft->note();
    }
  }
  uint64_t begun = core_->publications;
  Result<Inode> inode = done ? change_inode(caller, file, node.inode(), change) : Result<Inode>(Failure(done.error()));
  // Who has it open for writing publishes the new size later, together with what is written.
  if (wanted.size && done && file->writers == 0) {
    done = publish(*core_, {}, *file);
    begun = core_->publications;
    if (!done) inode = Failure(done.error());
    if (inode) inode = meta::get_inode(core_->volume, node.inode());
  }
  Result<Attributes> attributes = inode ? Result<Attributes>(core_->attributes_of(*inode, begun, node))
                                        : Result<Attributes>(Failure(inode.error()));
  if (!attributes && attributes.error().code == Code::kNotFound && file) {
    // Another node removed it, and here it goes on.
    if (auto shown = core_->attributes_shown(node)) attributes = *shown;
  }
  const bool in_doubt = core_->shared && core_->stale_opens.is_in_doubt(node.inode());
  if (attributes) attributes->fleeting = attributes->fleeting || in_doubt || core_->is_former(node);
  if (file && change.mode) {
    MutexLock lock(file->mutex);
    ++file->mode_changes;
    file->no_setid_since_ns = 0;
  }
  if (inode && core_->shared) core_->told_attributes.changed(node, inode->generation, *attributes);
  core_->let_go(std::move(file));
  return attributes;
}

Status Filesystem::drop_setid(const Caller& caller, HandleId id) {
  ASSIGN_OR_RETURN(auto handle, core_->handles.find(id));
  File& file = *handle->file;
  const int64_t now_ns = core_->volume.clock().monotonic_ns();
  uint64_t mode_changes = 0;
  bool had_none = false;
  {
    MutexLock lock(file.mutex);
    had_none = file.no_setid_since_ns != 0;
    if (file.no_setid_since_ns != 0 && now_ns - file.no_setid_since_ns < kSetidKnownNs) return {};
    mode_changes = file.mode_changes;
  }
  const KernelNode node = KernelNode::of(file.id, handle->epoch);
  auto attributes = get_attributes(node);
  // Of one that another node removed nobody but those who have it open sees the mode.
  if (!attributes && attributes.error().code == Code::kNotFound) return {};
  // What was so is so for all that is known here.
  if (!attributes && attributes.error().code == Code::kOutOfReach && had_none) return {};
  if (!attributes) return Failure(attributes.error());
  // As the kernel does it: setgid without the right to run is no setgid.
  const uint32_t group = (attributes->mode & S_IXGRP) != 0 ? uint32_t{S_ISGID} : 0;
  const uint32_t dropped = attributes->mode & (S_ISUID | group);
  if (dropped == 0) {
    MutexLock lock(file.mutex);
    if (file.mode_changes == mode_changes) file.no_setid_since_ns = now_ns;
    return {};
  }
  SetAttributes change;
  change.mode = attributes->mode & 07777 & ~dropped;
  auto changed = set_attributes(caller, node, change);
  return changed ? Status() : Status(Failure(changed.error()));
}

Result<Inode> Filesystem::change_inode(const Caller& caller, const FileRef& file, InodeId id,
                                       const meta::AttributeChange& change) {
  if (has_changes(file)) {
    auto inode = meta::get_inode(core_->volume, id);
    // Of one that another node removed, the draft goes on for those who have it open.
    if (!inode && inode.error().code != Code::kNotFound) return inode;
    if (carry(*core_, *file, change, inode)) return inode;
    TRY(commit_carried(*core_, *file));
  }
  return meta::set_attributes(core_->volume, core_->request(caller), id, change);
}

Result<Bytes> Filesystem::get_xattr(KernelNode node, std::string_view name) {
  if (node.inode() == kRootInode && name == kControlXattr && !core_->options.control_path.empty())
    return core_->options.control_path;
  if (name == kStateXattr) {
    ASSIGN_OR_RETURN(Inode inode, meta::get_inode(core_->volume, node.inode()));
    if (inode.type != FileType::kFile)
      return error(Code::kNoAttribute, "inode {} has no content that could be stored", inode.id.value);
    ASSIGN_OR_RETURN(meta::ContentState state, meta::content_state(core_->volume, inode));
    return Bytes(meta::state_name(state));
  }
  if (name == kCapabilityXattr) return get_capability(node);
  return meta::get_xattr(core_->volume, node.inode(), name);
}

/// The kernel asks before every write, whether there is one that the write must end.
Result<Bytes> Filesystem::get_capability(KernelNode node) {
  FileRef file = core_->files.find(node);
  if (!file) return meta::get_xattr(core_->volume, node.inode(), kCapabilityXattr);
  const int64_t now_ns = core_->volume.clock().monotonic_ns();
  const int64_t known_until_ns = file->may_have_capability ? 0 : file->no_capability_until_ns.load();
  Result<Bytes> value = error(Code::kNoAttribute, "inode {} has no capabilities", file->id.value);
  if (now_ns >= known_until_ns) {
    value = meta::get_xattr(core_->volume, node.inode(), kCapabilityXattr);
    const bool absent = !value && value.error().code == Code::kNoAttribute;
    if (absent) file->no_capability_until_ns = now_ns + core_->options.lifetimes.attributes_ms * 1'000'000;
    // What was so is so for all that is known here.
    if (!value && value.error().code == Code::kOutOfReach && known_until_ns != 0)
      value = error(Code::kNoAttribute, "inode {} had no capabilities", file->id.value);
  }
  core_->let_go(std::move(file));
  return value;
}

Result<std::vector<std::string>> Filesystem::list_xattrs(KernelNode node) {
  return meta::list_xattrs(core_->volume, node.inode());
}

Status Filesystem::set_xattr(const Caller& caller, KernelNode node, std::string_view name, std::string_view value,
                             meta::XattrMode mode, bool clear_setgid) {
  if (name.starts_with("user.weir."))
    return error(Code::kPermission, "extended attributes named user.weir.* are Weir's own");
  if (name == meta::kAccessAcl) TRY(commit_carried_of(*core_, node.inode()));
  std::vector<FileRef> files;
  if (name == kCapabilityXattr) files = core_->files.all_of(node.inode());
  for (const FileRef& file : files) file->may_have_capability = true;
  auto set = meta::set_xattr(core_->volume, core_->request(caller), node.inode(), name, value, mode, clear_setgid);
  for (FileRef& file : files) core_->let_go(std::move(file));
  if (!set) return Failure(set.error());
  return {};
}

Status Filesystem::remove_xattr(const Caller& caller, KernelNode node, std::string_view name) {
  auto removed = meta::remove_xattr(core_->volume, core_->request(caller), node.inode(), name);
  if (!removed) return Failure(removed.error());
  return {};
}

}  // namespace weir::vfs
