#include "vfs/foreign.h"

#include <algorithm>

#include "base/log.h"
#include "meta/attributes.h"
#include "meta/look_again.h"
#include "meta/pins.h"
#include "vfs/janitor.h"
#include "vfs/opens.h"

namespace weir::vfs {

namespace {

bool is_superseded_by(File& file, const Inode& inode) REQUIRES(file.mutex) {
  if (!file.version || inode.generation <= file.generation) return false;
  return !file.draft || !file.draft->changed();
}

/// A generation may be of the same bytes.
bool has_same_content(File& file, const Inode& inode) REQUIRES(file.mutex) {
  if (file.draft || file.version->size() != inode.size) return false;
  const ManifestId& manifest = inode.content.manifest;
  return inode.size == 0 || (!manifest.is_zero() && file.version->manifest_id() == manifest);
}

/// Nobody sees it by a descriptor or a mapping, so what is loaded is of no more use.
bool is_unseen(File& file) REQUIRES(file.mutex) { return file.sights.none() && !file.draft; }

/// Readers keep their version. A writer's next write, though, must be seen by all others here, and theirs by him.
bool shall_catch_up(File& file) REQUIRES(file.mutex) {
  return (file.writers > 0 && !file.sights.passing() && file.backing_id == 0) || file.sights.latest() == UINT16_MAX;
}

void unload(File& file) REQUIRES(file.mutex) {
  file.draft.reset();
  file.version.reset();
  file.loaded.reset();
  file.generation = 0;
}

Status show_whole(Core& core, File& file) {
  std::vector<uint16_t> epochs;
  {
    MutexLock lock(file.mutex);
    epochs = file.sights.all();
  }
  return show_to(core, file, epochs);
}

Error told_to_look(InodeId inode, std::string_view why) {
  return Error{Code::kStale, fmt::format("inode {} has to be looked up again: {}", inode.value, why)};
}

/// All names that the kernel may have come by still stand for the inode.
bool lead_there(const meta::LookAgain& look) {
  return look.inode && std::all_of(look.leads.begin(), look.leads.end(), [](bool leads) { return leads; });
}

/// What is opened by an inode that was looked up again: as it is now, if that name still stands for it, and otherwise
/// as it was then, since what was changed later is not what the name ever showed. Nothing: it is gone.
const std::optional<Inode>& as_named(const StaleOpens::ComesBack& back, const std::optional<ToldNames::Told>& told,
                                     const meta::LookAgain& look) {
  if (!look.inode) return back.inode;
  if (!back.again || !back.inode || !told) return look.inode;
  for (size_t i = 0; i < told->names.size(); ++i)
    if (told->names[i] == back.place) return look.leads[i] ? look.inode : back.inode;
  return look.inode;
}

/// Whether the kernel may have another size for a file that nobody has open than `inode` has.
bool is_size_unknown(File& file, const std::optional<ToldNames::Told>& told, const Inode& inode) {
  MutexLock lock(file.mutex);
  return file.sights.none() && !file.draft && (!told || told->generation != inode.generation);
}

/// A file that another node removed, and that is open here.
Result<FoundToOpen> find_removed(Core& core, KernelNode node) {
  FileRef file = core.files.find(node);
  bool is_loaded = false;
  if (file) {
    MutexLock lock(file->mutex);
    is_loaded = file->version != nullptr;
  }
  if (is_loaded) return FoundToOpen{std::move(file)};
  core.let_go(std::move(file));
  // Of its name nothing is known, so it is not absent.
  return Failure(told_to_look(node.inode(), "another node has removed it"));
}

/// Who opens a file by a node id, and what the kernel was told of that.
struct Opening {
  const Caller& caller;
  KernelNode node;
  std::optional<ToldNames::Told> told;
  bool again = false;  // it looked the name up again already

  bool shall_look(Core& core) const { return !again && core.stale_opens.tell(caller, node); }
};

Status load_to_open(Core& core, const Opening& opening, File& file, const Inode& inode) {
  const bool size_unknown = is_size_unknown(file, opening.told, inode);
  TRY(core.version_of(file, inode));
  TRY(catch_up(core, file, inode));
  if (size_unknown) show_size(core, opening.node, inode.size);
  return {};
}

Result<FoundToOpen> read_to_open(Core& core, const Caller& caller, KernelNode node) {
  Opening opening{caller, node, core.told_names.of(node.inode(), caller)};
  const auto& told = opening.told;
  const StaleOpens::ComesBack back = core.stale_opens.comes_back(caller, node.inode());
  opening.again = back.again;
  ASSIGN_OR_RETURN(const meta::LookAgain look,
                   meta::look_again(core.volume, node.inode(), told ? told->names : std::vector<meta::NamePlace>()));
  // Without a name that is remembered it came by a descriptor, or the answer to a look-up took long to reach it.
  const bool has_name = told && !told->names.empty() && lead_there(look);
  if (!has_name && opening.shall_look(core))
    return Failure(told_to_look(node.inode(), "its name may stand for another one by now"));
  // Removed or replaced since it was looked up for this open: what it opens is of that moment.
  const std::optional<Inode>& now = as_named(back, told, look);
  if (!now) return find_removed(core, node);
  see(core, *now);
  FileRef file = core.files.acquire(node.inode());
  if (node.epoch() < file->first_epoch) {
    core.let_go(std::move(file));
    if (opening.shall_look(core)) return Failure(told_to_look(node.inode(), "another node has changed its content"));
    file = core.files.acquire(node);
  }
  Status loaded = load_to_open(core, opening, *file, *now);
  if (loaded && told && !told->names.empty()) {
    MutexLock lock(file->mutex);
    file->opened_as = told->names.front();
  }
  if (loaded) return FoundToOpen{std::move(file), opening.again};
  core.let_go(std::move(file));
  return Failure(loaded.error());
}

/// Content that is open here, and that the inode has not any more.
std::optional<meta::Pin> pin_needed(File& file, const std::optional<Inode>& now) REQUIRES(file.mutex) {
  if (!file.loaded || !file.version || is_unseen(file)) return std::nullopt;
  if (now && now->generation <= file.generation) return std::nullopt;
  if (file.pinned == file.loaded->generation) return std::nullopt;
  return meta::Pin{*file.loaded, file.first_epoch};
}

Status pin_if_superseded(Core& core, File& file, const std::optional<Inode>& now) {
  std::optional<meta::Pin> pin;
  std::optional<uint64_t> before;
  {
    MutexLock lock(file.mutex);
    pin = pin_needed(file, now);
    if (pin) before = std::exchange(file.pinned, pin->inode.generation);
  }
  if (!pin) return {};
  if (before) unpin(core, file.id, *before);
  Status pinned = meta::pin_content(core.volume, *pin);
  if (pinned) return {};
  if (pinned.error().code == Code::kStale) {
    log::warning("a version of inode {} that is open here was given up before it was noticed: {}", file.id.value,
                 pinned.error().what);
    return {};
  }
  MutexLock lock(file.mutex);
  file.pinned.reset();
  return pinned;
}

Status look_at(Core& core, std::span<FileRef> files) {
  std::vector<InodeId> ids;
  for (const FileRef& file : files) ids.push_back(file->id);
  ASSIGN_OR_RETURN(const auto inodes, meta::get_inodes(core.volume, ids));
  for (size_t i = 0; i < files.size(); ++i) {
    if (inodes[i]) see(core, *inodes[i]);
    TRY(pin_if_superseded(core, *files[i], inodes[i]));
  }
  return {};
}

}  // namespace

void see(Core& core, const Inode& inode) {
  FileRef file = inode.type == FileType::kFile ? core.files.find(inode.id) : FileRef();
  if (!file) return;
  FileRef next;
  std::vector<uint16_t> former;
  {
    MutexLock lock(file->mutex);
    if (is_superseded_by(*file, inode)) {
      if (has_same_content(*file, inode)) {
        file->generation = inode.generation;
      } else if (is_unseen(*file)) {
        unload(*file);
      } else if (!shall_catch_up(*file)) {
        former = file->sights.all();
        core.epochs_in_use = true;
        next = core.files.supersede(*file, static_cast<uint16_t>(file->sights.latest() + 1));
      }
    }
  }
  core.let_go(std::move(file));
  if (!next) return;
  core.let_go(std::move(next));
  core.superseded = true;
  if (core.janitor) core.janitor->wake();
  if (KernelCache* kernel = core.kernel_cache)
    for (const uint16_t epoch : former) kernel->drop_attributes(KernelNode::of(inode.id, epoch));
}

Result<FoundToOpen> find_to_open(Core& core, const Caller& caller, KernelNode node) {
  // While it has a user, the file knows of all that is published here: what is read of it may be older than that.
  FileRef known = core.files.acquire(node.inode());
  auto found = read_to_open(core, caller, node);
  core.let_go(std::move(known));
  return found;
}

Status catch_up(Core& core, File& file) {
  if (!core.shared) return {};
  auto inode = meta::get_inode(core.volume, file.id);
  if (!inode) return inode.error().code == Code::kNotFound ? Status() : Status(Failure(inode.error()));
  return catch_up(core, file, *inode);
}

Status catch_up(Core& core, File& file, const Inode& inode) {
  {
    MutexLock lock(file.mutex);
    if (!is_superseded_by(file, inode) || file.sights.passing() || !core.files.is_current(file)) return {};
    if (file.draft && file.draft->live()) return {};
    unload(file);
  }
  TRY(core.version_of(file, inode));
  return show_whole(core, file);
}

void look_at_open_files(Core& core) {
  core.superseded = false;
  if (!core.shared) return;
  std::vector<FileRef> files = core.files.all();
  for (size_t first = 0; first < files.size(); first += limits::kLookedAtOnce) {
    const std::span<FileRef> batch =
        std::span(files).subspan(first, std::min(limits::kLookedAtOnce, files.size() - first));
    if (Status looked = look_at(core, batch); !looked)
      log::warning("open files could not be compared with what other nodes did, which is tried again: {}",
                   looked.error().what);
  }
  for (FileRef& file : files) core.let_go(std::move(file));
}

void unpin(Core& core, InodeId inode, uint64_t generation) {
  Status unpinned = meta::unpin_content(core.volume, inode, generation);
  if (!unpinned)
    log::warning("generation {} of inode {} stays pinned until the next start: {}", generation, inode.value,
                 unpinned.error().what);
}

Status resume_pinned(Core& core) {
  if (!core.shared) return {};
  ASSIGN_OR_RETURN(const auto pins, meta::pins_of_this_node(core.volume));
  for (const meta::Pin& pin : pins) {
    bool open = false;
    for (FileRef& file : core.files.all_of(pin.inode.id)) {
      if (!open && file->first_epoch == pin.first_epoch && core.version_of(*file, pin.inode)) {
        MutexLock lock(file->mutex);
        open = file->generation == pin.inode.generation;
        if (open) file->pinned = file->generation;
      }
      core.let_go(std::move(file));
    }
    if (!open) unpin(core, pin.inode.id, pin.inode.generation);
  }
  return {};
}

bool catching_up_waits(Core& core, KernelNode node) {
  if (!core.shared) return false;
  FileRef file = core.files.find(node);
  const bool waits = file && file->writers > 0;
  core.let_go(std::move(file));
  return waits;
}

}  // namespace weir::vfs
