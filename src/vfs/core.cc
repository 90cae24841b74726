#include "vfs/core.h"

#include "base/log.h"
#include "model/chunk.h"
#include "vfs/foreign.h"
#include "vfs/janitor.h"
#include "vfs/uploader.h"

namespace weir::vfs {

namespace {

// Of chunks: what close() of a big file waits for at most.
constexpr size_t kHashQueue = 4;
constexpr size_t kReports = 1000;

/// That of the predecessor, if there was one.
uint64_t request_base_of(meta::Volume& volume, SharedSession& session) {
  if (uint64_t before = session.request_base; before != 0) return before;
  // 40 bits for the kernel's counter, 24 for the mount. Without a serial a random one does.
  auto serial = volume.new_serial();
  const uint64_t base = (serial ? *serial : volume.random().next_u64() | 1) << 40;
  session.request_base = base;
  return base;
}

uint64_t allocated_bytes(const Inode& inode) {
  if (inode.type != FileType::kFile) return 0;
  if (inode.content.form == weir::Content::Form::kInline) return inode.content.inline_bytes.size();
  uint64_t bytes = 0;
  if (inode.content.form == weir::Content::Form::kChunks) {
    for (uint64_t index = 0; index < inode.content.chunks.size(); ++index)
      if (!inode.content.chunks[index].is_zero()) bytes += chunk_length(inode.size, index);
    return bytes;
  }
  constexpr uint64_t kPageBytes = limits::kPageChunkIds * limits::kChunkBytes;
  for (uint64_t page = 0; page < inode.content.pages.size(); ++page)
    if (inode.content.pages[page].value != 0) bytes += std::min(kPageBytes, inode.size - page * kPageBytes);
  return bytes;
}

constexpr uint64_t blocks_512(uint64_t bytes) { return (bytes + 4095) / 4096 * 8; }

Attributes published_attributes(const Inode& inode) {
  Attributes attributes;
  attributes.inode = inode.id;
  attributes.mode = inode.mode | mode_bits_of(inode.type);
  attributes.link_count = inode.link_count;
  attributes.uid = inode.uid;
  attributes.gid = inode.gid;
  attributes.device = inode.device;
  attributes.size = inode.type == FileType::kSymlink ? inode.symlink_target.size() : inode.size;
  attributes.blocks_512 = blocks_512(allocated_bytes(inode));
  attributes.atime_ns = inode.atime_ns;
  attributes.mtime_ns = inode.mtime_ns;
  attributes.ctime_ns = inode.ctime_ns;
  attributes.btime_ns = inode.btime_ns;
  return attributes;
}

void add_draft(const Draft& draft, Attributes& attributes) {
  attributes.size = draft.size();
  attributes.blocks_512 = blocks_512(draft.allocated_bytes());
  attributes.mtime_ns = draft.mtime_ns();
  attributes.ctime_ns = std::max(attributes.ctime_ns, attributes.mtime_ns);
  const meta::AttributeChange& carried = draft.carried();
  if (carried.mode) attributes.mode = (attributes.mode & ~07777u) | (*carried.mode & 07777);
  if (carried.uid) attributes.uid = *carried.uid;
  if (carried.gid) attributes.gid = *carried.gid;
  if (carried.atime_ns) attributes.atime_ns = *carried.atime_ns;
  if (carried.ctime_ns) attributes.ctime_ns = std::max(attributes.ctime_ns, *carried.ctime_ns);
}

}  // namespace

Core::Core(meta::Volume& a_volume, cache::Cache& a_cache, object::ObjectStore& a_store,
           std::shared_ptr<SharedMemory> shared_memory, const FilesystemOptions& an_options)
    : volume(a_volume),
      cache(a_cache),
      store(a_store),
      options(an_options),
      shared(an_options.shared.value_or(a_volume.engine().capabilities().shared)),
      memory(std::move(shared_memory)),
      fetcher(volume, cache, store, buffers, options.peers, options.read_timeout_ms),
      filler(fetcher, options.fetch_threads),
      hash_pool("weir-hash", options.hash_threads, kHashQueue),
      handles(memory->handles()),
      stale_opens(volume.clock()),
      told_names(volume.clock(), std::max(an_options.lifetimes.entry_ms, an_options.lifetimes.attributes_ms)),
      known_names(volume.clock(), an_options.lifetimes.entry_ms),
      told_attributes(volume.clock(), an_options.lifetimes.attributes_ms),
      request_base_(request_base_of(volume, memory->session())) {}

Core::~Core() = default;

void Core::report(std::string what) {
  log::warning("{}", what);
  MutexLock lock(mutex_);
  if (reports_.size() < kReports) reports_.push_back(std::move(what));
}

std::vector<std::string> Core::reports() const {
  MutexLock lock(mutex_);
  return reports_;
}

Result<std::shared_ptr<Version>> Core::version_of(File& file) {
  {
    MutexLock lock(file.mutex);
    if (file.version) return file.version;
  }
  ASSIGN_OR_RETURN(Inode inode, meta::get_inode(volume, file.id));
  return version_of(file, inode);
}

Result<std::shared_ptr<Version>> Core::version_of(File& file, const Inode& inode) {
  {
    MutexLock lock(file.mutex);
    if (file.version) return file.version;
  }
  if (inode.type == FileType::kDirectory) return error(Code::kIsDirectory, "inode {} is a directory", inode.id.value);
  if (inode.type != FileType::kFile) return error(Code::kInvalid, "inode {} is not a regular file", inode.id.value);
  ASSIGN_OR_RETURN(auto version, Version::load(sources(), inode));
  MutexLock lock(file.mutex);
  if (!file.version) {
    file.version = std::move(version);
    file.generation = inode.generation;
    if (shared) file.loaded = std::make_shared<const Inode>(inode);
  }
  if (inode.link_count == 0) file.orphan = true;
  return file.version;
}

void Core::published_here(File& file, std::shared_ptr<Version> version, const Inode& inode) {
  told_names.changed_here(file.id, file.generation, inode.generation);
  file.version = std::move(version);
  file.generation = inode.generation;
  if (shared) file.loaded = std::make_shared<const Inode>(inode);
}

void Core::changed_here(File& file) {
  if (!shared || !file.loaded) return;
  const Attributes attributes = published_attributes(*file.loaded);
  for (const uint16_t epoch : file.sights.all())
    told_attributes.changed(KernelNode::of(file.id, epoch), file.generation, attributes);
}

uint16_t Core::epoch_of(InodeId inode) {
  if (!epochs_in_use) return 0;
  FileRef file = files.find(inode);
  if (!file) return 0;
  uint16_t epoch = 0;
  {
    MutexLock lock(file->mutex);
    epoch = file->sights.current();
  }
  let_go(std::move(file));
  return epoch;
}

bool Core::is_former(KernelNode node) {
  return epochs_in_use && files.in_use(node.inode()) && node.epoch() != epoch_of(node.inode());
}

Entry Core::entry_of(const Inode& inode, uint64_t begun) {
  if (shared) see(*this, inode);
  const KernelNode node = KernelNode::of(inode.id, epoch_of(inode.id));
  Entry entry{node, attributes_of(inode, begun, node)};
  if (shared && stale_opens.is_in_doubt(inode.id)) entry.attributes.fleeting = true;
  told(node, inode, entry.attributes);
  return entry;
}

Entry Core::entry_of(const Inode& inode, uint64_t begun, InodeId parent, std::string_view name) {
  Entry entry = entry_of(inode, begun);
  if (shared) known_names.tell(parent, name, inode.id);
  if (shared && inode.type == FileType::kFile)
    entry.fleeting = !told_names.tell(inode.id, inode.generation, parent, name);
  return entry;
}

void Core::told(KernelNode node, const Inode& inode, const Attributes& attributes) {
  if (shared && attributes.link_count > 0) told_attributes.tell(node, inode.generation, attributes);
}

void Core::show_own(File& file, const Inode& inode, Attributes& attributes) {
  if (file.draft && file.draft->changed()) return add_draft(*file.draft, attributes);
  if (!file.loaded || file.generation >= inode.generation) return;
  const Attributes own = published_attributes(*file.loaded);
  attributes.size = own.size;
  attributes.blocks_512 = own.blocks_512;
  attributes.mtime_ns = own.mtime_ns;
}

Attributes Core::attributes_of(const Inode& inode, uint64_t begun, KernelNode node) {
  Attributes attributes = published_attributes(inode);
  if (inode.type != FileType::kFile) return attributes;
  // The kernel may know each name by another node id, and keeps what it was told of one for ever.
  attributes.fleeting = epochs_in_use && !shared && inode.link_count > 1;
  bool is_old = false;
  if (FileRef file = files.find(node)) {
    {
      MutexLock lock(file->mutex);
      show_own(*file, inode, attributes);
    }
    is_old = shared && !files.is_current(*file);
    let_go(std::move(file));
  }
  return is_old || publications == begun ? attributes : attributes_again(attributes);
}

std::optional<Attributes> Core::attributes_shown(KernelNode node) {
  if (!shared) return std::nullopt;
  std::optional<Attributes> attributes;
  if (FileRef file = files.find(node)) {
    {
      MutexLock lock(file->mutex);
      if (file->loaded) attributes = published_attributes(*file->loaded);
      if (attributes && file->draft && file->draft->changed()) add_draft(*file->draft, *attributes);
    }
    let_go(std::move(file));
    if (attributes) attributes->link_count = 0;
  }
  if (!attributes) attributes = told_attributes.of(node);
  if (attributes) attributes->fleeting = true;
  return attributes;
}

std::optional<Attributes> Core::attributes_shown(KernelNode node, const Caller& caller) {
  if (auto shown = attributes_shown(node)) return shown;
  // A second look-up of one call was of a moment in that call, whatever became of the file since.
  const auto looked_up = shared ? stale_opens.goes_on_with(caller, node.inode()) : std::nullopt;
  if (!looked_up) return std::nullopt;
  Attributes attributes = published_attributes(*looked_up);
  attributes.fleeting = true;
  return attributes;
}

Attributes Core::attributes_again(const Attributes& before) {
  // While it has a user, the file knows of every publish.
  FileRef file = files.acquire(before.inode);
  Attributes attributes = before;
  for (bool current = false; !current;) {
    uint64_t commits = 0;
    {
      MutexLock lock(file->mutex);
      commits = file->carried_commits;
    }
    auto inode = meta::get_inode(volume, before.inode);
    if (!inode) {
      // Removed by another node: it had these, and who asks from now on is not to be shown them.
      attributes.fleeting = true;
      attributes.link_count = 0;
      break;
    }
    attributes = published_attributes(*inode);
    MutexLock lock(file->mutex);
    show_own(*file, *inode, attributes);
    current = file->carried_commits == commits &&
              ((file->draft && file->draft->changed()) || file->generation <= inode->generation);
  }
  let_go(std::move(file));
  return attributes;
}

void Core::let_go(FileRef file) {
  if (!file) return;
  std::shared_ptr<File> kept = file.shared();
  const FileRef::Last last = file.reset();
  if (!last.of_file) return;
  std::optional<uint64_t> pinned;
  bool orphan = false;
  {
    MutexLock lock(kept->mutex);
    if (std::exchange(kept->publication_open, false)) --open_publications;
    if (kept->gone && kept->draft) drop_after_barrier(kept->draft->take_leftovers());
    pinned = std::exchange(kept->pinned, std::nullopt);
    orphan = kept->orphan && last.of_inode;
  }
  if (pinned) unpin(*this, kept->id, *pinned);
  if (!orphan) return;
  Status released = meta::release_orphan(volume, {}, kept->id);
  if (!released && released.error().code != Code::kNotFound)
    log::warning("cannot erase the unlinked inode {}; the next start does: {}", kept->id.value, released.error().what);
}

void Core::removed(const meta::Removed& removed) {
  if (removed.gone || removed.inode.link_count > 0 || removed.inode.type == FileType::kDirectory) return;
  // It was in use when it lost its name. If it is no more by now, this reference is its last user.
  FileRef current = files.acquire(removed.inode.id);
  for (FileRef& file : files.all_of(removed.inode.id)) {
    {
      MutexLock lock(file->mutex);
      file->orphan = true;
    }
    let_go(std::move(file));
  }
  let_go(std::move(current));
}

void Core::carries_from_now(InodeId inode) {
  MutexLock lock(mutex_);
  carrying_.emplace_back(inode, volume.clock().monotonic_ns());
}

std::vector<InodeId> Core::take_carrying(int64_t since_ms) {
  const int64_t until_ns = volume.clock().monotonic_ns() - since_ms * 1'000'000;
  std::vector<InodeId> taken;
  MutexLock lock(mutex_);
  for (; !carrying_.empty() && carrying_.front().second <= until_ns; carrying_.pop_front())
    taken.push_back(carrying_.front().first);
  return taken;
}

bool Core::may_carry_more() const {
  MutexLock lock(mutex_);
  return carrying_.size() < limits::kSharedDrafts;
}

void Core::keep_unpublished(FileRef file) {
  MutexLock lock(mutex_);
  unpublished_.push_back(std::move(file));
}

void Core::drop_after_barrier(Draft::Leftovers leftovers) {
  if (leftovers.sealed.empty() && leftovers.staged.empty()) return;
  MutexLock lock(mutex_);
  leftovers_.push_back(std::move(leftovers));
}

Status Core::barrier() {
  std::vector<Draft::Leftovers> all;
  {
    MutexLock lock(mutex_);
    all.swap(leftovers_);
  }
  Status synced = volume.engine().barrier();
  for (Draft::Leftovers& leftovers : all) {
    for (uint64_t id : leftovers.sealed)
      if (Status forgotten = synced ? cache.forget_record(id) : synced; !forgotten)
        log::warning("the record of staging file {} stays: {}", id, forgotten.error().what);
    for (auto& staged : leftovers.staged)
      if (!synced) staged->keep();
  }
  return synced;
}

std::vector<FileRef> Core::take_unpublished() {
  MutexLock lock(mutex_);
  return std::exchange(unpublished_, {});
}

}  // namespace weir::vfs
