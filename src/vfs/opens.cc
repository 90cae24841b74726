#include "vfs/opens.h"

#include <fcntl.h>

#include "base/log.h"
#include "vfs/publisher.h"

namespace weir::vfs {

namespace {

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
    ASSIGN_OR_RETURN(file.draft, Draft::live_over({core.cache, *core.memory, file.id}, file.version, file.generation));
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

}  // namespace

bool is_shown(Core& core, File& file) {
  if (file.modes.passing()) return true;
  if (core.backing_files == nullptr || !is_complete(core, file)) return false;
  auto image = file.version->image();
  return image && (*image)->is_shown_to(file.id);
}

Result<Opened> begin_open(Core& core, File& file, int flags) {
  MutexLock lock(file.mutex);
  BackingFiles* kernel = core.backing_files;
  OpenModes::Wish wish;
  wish.reads = (flags & O_ACCMODE) != O_WRONLY;
  wish.writes = (flags & O_ACCMODE) != O_RDONLY;
  wish.direct_writes = core.direct_writes;
  wish.live = file.draft && file.draft->live();
  wish.complete = kernel != nullptr && !wish.writes && is_complete(core, file);

  Opened opened;
  opened.keep_cache = true;
  opened.mode = file.modes.next(wish);
  bool passes = opened.mode == OpenMode::kPass || opened.mode == OpenMode::kPassDirect;
  if (passes && file.backing_id == 0) {
    Status lent = kernel != nullptr ? lend_file(core, *kernel, file) : error(Code::kUnsupported, "no passthrough");
    if (!lent && wish.live) return Failure(lent.error());
    if (!lent) opened.mode = OpenMode::kCached;
    passes = lent.has_value();
  }
  if (opened.mode == OpenMode::kPassDirect && wish.reads) TRY(expect_mapping(core, file));
  if (passes) opened.backing_id = file.backing_id;
  file.modes.opened(opened.mode);
  return opened;
}

Status end_open(Core& core, File& file, OpenMode mode) {
  bool settles = false;
  {
    MutexLock lock(file.mutex);
    file.modes.closed(mode);
    if (file.modes.passing()) return {};
    end_lending(core, file);
    if (!file.draft || !file.draft->live()) return {};
    settles = !file.draft->mapped();
  }
  // The kernel may have pages from before stores through a mapping; the janitor drops them first.
  return settles ? settle_live(core, file) : error(Code::kBusy, "inode {} was mapped for writing", file.id.value);
}

}  // namespace weir::vfs
