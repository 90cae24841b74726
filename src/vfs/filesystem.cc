#include "vfs/filesystem.h"

#include "base/log.h"
#include "base/patience.h"
#include "vfs/core.h"
#include "vfs/janitor.h"
#include "vfs/lock_table.h"
#include "vfs/publisher.h"
#include "vfs/recovery.h"
#include "vfs/revalidate.h"
#include "vfs/shared_locks.h"
#include "vfs/uploader.h"

namespace weir::vfs {

Filesystem::Filesystem(std::unique_ptr<Core> core) : core_(std::move(core)) {}

namespace {

Result<std::unique_ptr<SharedLocks>> share_locks(Core& core) {
  return SharedLocks::start(
      {core.volume, [&core] { return core.volume.membership().epoch; }, core.options.messenger, &core.memory->locks(),
       [&core](InodeId inode, const std::optional<Inode>& now) { return revalidate(core, inode, now); },
       [&core](std::string what) { core.report(std::move(what)); }});
}

}  // namespace

Result<std::unique_ptr<Filesystem>> Filesystem::start(meta::Volume& volume, cache::Cache& cache,
                                                      object::ObjectStore& store, const FilesystemOptions& options) {
  std::shared_ptr<SharedMemory> memory = options.memory;
  if (!memory) {
    ASSIGN_OR_RETURN(memory, SharedMemory::create());
  }
  auto core = std::make_unique<Core>(volume, cache, store, std::move(memory), options);
  TRY(recover(*core));
  SharedLocks* shared_locks = nullptr;
  if (options.shared_locks) {
    ASSIGN_OR_RETURN(auto locks, share_locks(*core));
    shared_locks = locks.get();
    core->locks = std::move(locks);
  } else {
    core->locks = std::make_unique<LockTable>(&core->memory->locks());
  }
  if (options.upload) core->uploader = std::make_unique<Uploader>(*core);
  core->janitor = std::make_unique<Janitor>(*core);
  std::unique_ptr<Filesystem> filesystem(new Filesystem(std::move(core)));
  filesystem->shared_locks_ = shared_locks;
  return filesystem;
}

Filesystem::~Filesystem() {
  core_->janitor.reset();
  for (FileRef& file : core_->files.all()) {
    Status published = publish(*core_, {}, *file);
    if (published) continue;
    MutexLock lock(file->mutex);
    Status kept = file->draft ? file->draft->keep(file->id) : Status();
    log::error("inode {} could not be published at the end ({}), and {}", file->id.value, published.error().what,
               kept ? "stays staged for the next start" : "its unpublished writes are lost: " + kept.error().what);
  }
  // What was written under them is published by now.
  core_->locks.reset();
  core_->hash_pool.drain();  // it offers chunks to the uploader
  core_->uploader.reset();
  core_->take_unpublished();
  if (Status synced = core_->cache.barrier(); !synced) log::warning("barrier of the cache: {}", synced.error().what);
  if (Status synced = core_->barrier(); !synced) log::warning("barrier of the metadata: {}", synced.error().what);
}

const Lifetimes& Filesystem::lifetimes() const { return core_->options.lifetimes; }

uint64_t Filesystem::request_base() const { return core_->request_base(); }

size_t Filesystem::writers_restored() const {
  size_t writers = 0;
  for (const FileRef& file : core_->files.all()) writers += file->writers;
  return writers;
}

void Filesystem::connect(const Kernel& kernel) {
  core_->kernel_cache = kernel.cache;
  core_->direct_writes = kernel.direct_writes;
  core_->backing_files = kernel.backing_files;
  if (!core_->shared || kernel.cache == nullptr) return;
  {
    // Kept for while the server is out of reach, which it may be now.
    const Patience none([] { return Status(error(Code::kOutOfReach, "who starts waits for nobody")); });
    if (auto root = get_attributes(KernelNode::of(kRootInode, 0)); !root)
      log::warning("the attributes of the root directory are not known yet: {}", root.error().what);
  }
  // What was open already may have been changed elsewhere while nobody looked.
  for (FileRef& file : core_->files.all()) {
    std::vector<uint16_t> epochs;
    {
      MutexLock lock(file->mutex);
      epochs = file->sights.all();
    }
    for (const uint16_t epoch : epochs) kernel.cache->drop_content(KernelNode::of(file->id, epoch));
    core_->let_go(std::move(file));
  }
}

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
