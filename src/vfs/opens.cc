#include "vfs/opens.h"

#include <fcntl.h>

#include "base/log.h"
#include "meta/attributes.h"
#include "vfs/bring.h"
#include "vfs/publisher.h"

namespace weir::vfs {

namespace {

// The kernel may hold a page for a writer who waits here himself; then the answer goes first.
constexpr int64_t kShowMs = 1000;

/// The content lies in one file that changes no more, or only in the sight of all.
bool is_complete(Core& core, File& file) REQUIRES(file.mutex) {
  if (file.draft && file.draft->live()) return true;
  if (file.draft && !file.draft->changed()) file.draft.reset();
  if (file.draft || !file.version || !file.version->has_image()) return false;
  // Asked first, because opening an image makes one.
  if (!core.cache.present_chunks(file.version->manifest_id())) return false;
  auto image = file.version->image();
  return image && (*image)->complete();
}

/// Gives the kernel the file to read by itself.
Status lend_file(Core& core, BackingFiles& kernel, File& file) REQUIRES(file.mutex) {
  std::shared_ptr<cache::Image> image;
  int fd = -1;
  if (file.draft) {
    fd = file.draft->staging()->fd();
  } else {
    ASSIGN_OR_RETURN(image, file.version->image());
    if (!image->lend(file.id)) return error(Code::kBusy, "image {} is another inode's", image->id().hex());
    fd = image->fd();
  }
  auto id = kernel.open(fd);
  if (!id) {
    if (image) image->give_back(file.id);
    if (!core.said_no_passthrough.exchange(true))
      log::warning("the kernel does not read files by itself, so every read goes through the daemon: {}",
                   id.error().what);
    return Failure(id.error());
  }
  file.backing_id = *id;
  file.lent = std::move(image);
  return {};
}

/// Stores through a writable mapping reach the file without a word: it stops being an image before that.
Status expect_mapping(Core& core, File& file) REQUIRES(file.mutex) {
  if (!file.draft) {
    ASSIGN_OR_RETURN(file.draft, Draft::live_over(core.draft_place(file.id), file.version, file.generation));
  }
  file.draft->set_mapped();
  return file.draft->note();
}

void end_lending(Core& core, File& file) REQUIRES(file.mutex) {
  if (file.backing_id == 0) return;
  if (BackingFiles* kernel = core.backing_files) kernel->close(file.backing_id);
  file.backing_id = 0;
  if (file.lent) file.lent->give_back(file.id);
  file.lent.reset();
}

/// The file has become complete while others had it open through the page cache, so the kernel would read it by itself
/// only under another node id. Not while somebody may write: stores through the new one would have to be told to the
/// old one. Nor while it runs: the kernel refuses writers of a running program by its node id. Nor with several names,
/// of which each would go on leading to the old one.
bool may_move(Core& core, File& file) REQUIRES(file.mutex) {
  if (core.kernel_cache == nullptr || core.said_no_passthrough || !file.sights.can_move()) return false;
  if (file.writers > 0 || file.executors > 0 || file.draft || file.orphan) return false;
  auto image = file.version->image();
  if (!image || !(*image)->may_lend(file.id)) return false;
  // Whoever makes another name from now on answers with attributes that the kernel does not keep.
  core.epochs_in_use = true;
  auto inode = meta::get_inode(core.volume, file.id);
  return inode && inode->link_count == 1;
}

/// At a page fault the kernel asks nobody for the size, so it is told. Under the mutex, so that the byte that it is
/// told last is the one that was written last.
Status show_end(Core& core, KernelCache& kernel, File& file, const std::vector<uint16_t>& others) {
  const auto show = [&](uint64_t offset, char byte) {
    for (const uint16_t other : others) kernel.extend(KernelNode::of(file.id, other), offset, byte);
  };
  char last = 0;
  while (true) {
    bool drafted = false;
    TRY(with_needed(
        core, file,
        [](const Draft& draft, const Given& given) {
          return draft.size() == 0 ? std::nullopt : draft.needed_to_read(draft.size() - 1, 1, given);
        },
        [&](Draft& draft, const Given& given) -> Status {
          drafted = true;
          if (draft.size() == 0) return {};
          Status read = draft.read(draft.size() - 1, std::span<char>(&last, 1), given);
          if (read) show(draft.size() - 1, last);
          return read;
        }));
    if (drafted) return {};
    ASSIGN_OR_RETURN(auto version, core.version_of(file));
    if (version->size() == 0) return {};
    TRY(version->read(version->size() - 1, std::span<char>(&last, 1)));
    MutexLock lock(file.mutex);
    if (file.draft || file.version != version) continue;
    show(version->size() - 1, last);
    return {};
  }
}

}  // namespace

bool is_shown(Core& core, File& file) {
  if (file.sights.passing()) return true;
  if (core.backing_files == nullptr || !is_complete(core, file)) return false;
  auto image = file.version->image();
  return image && (*image)->is_shown_to(file.id);
}

Status find_sight(Core& core, const Caller& caller, File& file, KernelNode node, bool again) {
  if (!core.epochs_in_use && node.epoch() == 0) return {};
  core.epochs_in_use = true;
  MutexLock lock(file.mutex);
  if (file.sights.none()) {
    file.sights.adopt(node.epoch());
    return {};
  }
  if (node.epoch() == file.sights.current() || again || !core.stale_opens.tell(caller, node)) return {};
  return error(Code::kStale, "the kernel knows inode {} by another number by now", file.id.value);
}

Result<Opened> begin_open(Core& core, const Caller& caller, const Handle& handle, KernelNode node, bool again) {
  File& file = *handle.file;
  MutexLock lock(file.mutex);
  BackingFiles* kernel = core.backing_files;
  const bool is_current = node.epoch() == file.sights.current();
  OpenModes::Wish wish;
  wish.reads = handle.readable();
  wish.writes = handle.writable();
  wish.direct_writes = core.direct_writes;
  wish.live = is_current && file.draft && file.draft->live();
  wish.complete = is_current && kernel != nullptr && !wish.writes && !file.locked && is_complete(core, file);
  if (wish.complete && !wish.live && !again && may_move(core, file)) {
    const KernelNode former = node;
    file.sights.move();
    if (KernelCache* cache = core.kernel_cache) cache->drop_attributes(former);
    if (core.stale_opens.tell(caller, former))
      return error(Code::kStale, "the kernel can read inode {} by itself from now on", file.id.value);
    wish.complete = false;
  }

  Opened opened;
  // Of other node ids than the first nobody knows what the kernel kept when the file was not open.
  opened.keep_cache = !file.sights.of(node.epoch()).none() ||
                      (core.shared ? core.kept_pages.are_of(node, file.generation) : node.epoch() == 0);
  OpenModes& modes = file.sights.of(node.epoch());
  opened.mode = modes.next(wish);
  bool passes = opened.mode == OpenMode::kPass || opened.mode == OpenMode::kPassDirect;
  if (passes && file.backing_id == 0) {
    Status lent = kernel != nullptr ? lend_file(core, *kernel, file) : error(Code::kUnsupported, "no passthrough");
    if (!lent && wish.live) return Failure(lent.error());
    if (!lent) opened.mode = OpenMode::kCached;
    passes = lent.has_value();
  }
  if (opened.mode == OpenMode::kPassDirect && wish.reads) TRY(expect_mapping(core, file));
  if (passes) opened.backing_id = file.backing_id;
  modes.opened(opened.mode);
  return opened;
}

Status show_to(Core& core, File& file, const std::vector<uint16_t>& epochs) {
  KernelCache* kernel = core.kernel_cache;
  if (epochs.empty() || kernel == nullptr) return {};
  Status extended = show_end(core, *kernel, file, epochs);
  for (const uint16_t epoch : epochs) kernel->drop_content(KernelNode::of(file.id, epoch));
  if (!kernel->drain_for(kShowMs)) return extended;
  MutexLock lock(file.mutex);
  for (const uint16_t epoch : epochs) file.sights.dropped(epoch);
  return extended;
}

void show_size(Core& core, KernelNode node, uint64_t size) {
  KernelCache* kernel = core.kernel_cache;
  if (kernel == nullptr) return;
  // Whatever byte is told: the page goes before anybody can see it.
  if (size > 0) kernel->extend(node, size - 1, '\0');
  kernel->drop_content(node);
  if (!kernel->drain_for(kShowMs))
    log::warning("the kernel takes no notifications, so mappings of inode {} may not reach its end",
                 node.inode().value);
}

void show_change(Core& core, File& file, uint16_t epoch) {
  std::vector<uint16_t> others;
  {
    MutexLock lock(file.mutex);
    others = file.sights.others(epoch);
  }
  if (Status shown = show_to(core, file, others); !shown)
    log::warning("mappings of inode {} may not reach its end: {}", file.id.value, shown.error().what);
}

void settle_open(Handle& handle) {
  if (handle.settled || handle.settled.exchange(true)) return;
  MutexLock lock(handle.file->mutex);
  handle.file->sights.of(handle.epoch).settled(handle.mode);
}

Status end_open(Core& core, Handle& handle) {
  settle_open(handle);
  File& file = *handle.file;
  bool settles = false;
  {
    MutexLock lock(file.mutex);
    OpenModes& modes = file.sights.of(handle.epoch);
    modes.closed(handle.mode);
    if (core.shared && modes.none() && !(file.draft && file.draft->changed()))
      core.kept_pages.keep(KernelNode::of(file.id, handle.epoch), file.generation);
    if (file.sights.passing()) return {};
    end_lending(core, file);
    if (!file.draft || !file.draft->live()) return {};
    settles = !file.draft->mapped();
  }
  // The kernel may have pages from before stores through a mapping; the janitor drops them first.
  return settles ? settle_live(core, file) : error(Code::kBusy, "inode {} was mapped for writing", file.id.value);
}

}  // namespace weir::vfs
