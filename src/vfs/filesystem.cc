#include "vfs/filesystem.h"

#include "base/log.h"
#include "vfs/core.h"
#include "vfs/janitor.h"
#include "vfs/publisher.h"
#include "vfs/recovery.h"
#include "vfs/uploader.h"

namespace weir::vfs {

Filesystem::Filesystem(std::unique_ptr<Core> core) : core_(std::move(core)) {}

Result<std::unique_ptr<Filesystem>> Filesystem::start(meta::Volume& volume, cache::Cache& cache,
                                                      object::ObjectStore& store, const FilesystemOptions& options) {
  auto core = std::make_unique<Core>(volume, cache, store, options);
  TRY(recover(*core));
  if (options.upload) core->uploader = std::make_unique<Uploader>(*core);
  core->janitor = std::make_unique<Janitor>(*core);
  return std::unique_ptr<Filesystem>(new Filesystem(std::move(core)));
}

Filesystem::~Filesystem() {
  core_->janitor.reset();
  for (FileRef& file : core_->files.all()) {
    Status published = publish(*core_, {}, *file);
    if (published) continue;
    MutexLock lock(file->mutex);
    bool staged = file->draft && file->draft->staging() != nullptr;
    if (staged && file->draft->staging()->save_record(file->draft->encode_record(file->id)))
      file->draft->staging()->keep();
    log::error("inode {} could not be published at the end{}: {}", file->id.value,
               staged ? "; it stays staged for the next start" : "", published.error().what);
  }
  core_->uploader.reset();
  core_->take_unpublished();
  if (Status synced = core_->cache.barrier(); !synced) log::warning("barrier of the cache: {}", synced.error().what);
  if (Status synced = core_->volume.engine().barrier(); !synced)
    log::warning("barrier of the metadata: {}", synced.error().what);
}

const Lifetimes& Filesystem::lifetimes() const { return core_->options.lifetimes; }

void Filesystem::connect(KernelCache* kernel_cache) { core_->kernel_cache = kernel_cache; }

Result<VolumeStatistics> Filesystem::statistics() {
  // A volume has no size of its own: what can be written is what the node's disk can stage.
  cache::Usage usage = core_->cache.usage();
  VolumeStatistics statistics;
  uint64_t used = usage.image_bytes + usage.small_bytes + usage.staging_bytes;
  uint64_t free = usage.disk_free_bytes > usage.reserve_bytes ? usage.disk_free_bytes - usage.reserve_bytes : 0;
  uint64_t evictable =
      used > usage.unstored_bytes + usage.staging_bytes ? used - usage.unstored_bytes - usage.staging_bytes : 0;
  statistics.blocks = (used + free) / statistics.block_bytes;
  statistics.blocks_free = (free + evictable) / statistics.block_bytes;
  statistics.inodes = kInodeIdMax;
  statistics.inodes_free = kInodeIdMax;
  return statistics;
}

}  // namespace weir::vfs
