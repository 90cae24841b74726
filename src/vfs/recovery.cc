#include "vfs/recovery.h"

#include <map>

#include "base/log.h"
#include "vfs/foreign.h"
#include "vfs/power_loss.h"
#include "vfs/publisher.h"

namespace weir::vfs {

namespace {

using ById = std::map<uint64_t, cache::Recovered>;
using Carried = std::map<InodeId, std::pair<SlotId, CarriedRecord>>;

// Of a live draft, whose file is what readers see, whatever was published of it.
constexpr uint64_t kAnyGeneration = UINT64_MAX;

// ---- What a predecessor on this machine had in its hands.

std::shared_ptr<Handle> restored_handle(Core& core, const HandleRecord& record) {
  auto handle =
      std::make_shared<Handle>(core.files.restore(InodeId{record.inode}, static_cast<uint16_t>(record.first_epoch)));
  handle->flags = static_cast<int>(record.flags);
  handle->mode = static_cast<OpenMode>(record.mode);
  handle->epoch = static_cast<uint16_t>(record.epoch);
  if (record.lock_owner != 0) {
    MutexLock lock(handle->lock_owners_mutex);
    handle->lock_owners.push_back(record.lock_owner);
  }
  if (handle->epoch != 0) core.epochs_in_use = true;
  File& file = *handle->file;
  if (handle->writable()) ++file.writers;
  if (handle->executes()) ++file.executors;
  MutexLock lock(file.mutex);
  file.sights.restored(handle->epoch, handle->mode);
  if (record.backing_id != 0) file.backing_id = record.backing_id;
  return handle;
}

void restore_handles(Core& core) {
  // The kernel may remember node ids of which nobody has a descriptor.
  if (core.memory->session().negotiated != 0) core.epochs_in_use = true;
  std::vector<SlotId> broken;
  size_t restored = 0;
  core.memory->handles().for_each([&](SlotId id, SharedSlot& slot) {
    const HandleRecord record = slot.as<HandleRecord>();
    // The kernel reads directories by their inodes; it ends a handle that an earlier version gave it in vain.
    if (record.inode == 0 || record.is_directory != 0) return broken.push_back(id);
    ++restored;
    core.handles.restore(id, restored_handle(core, record), record);
  });
  for (SlotId id : broken) core.memory->handles().free(id);
  if (restored > 0) log::info("{} open handles of the daemon before go on", restored);
}

Status lend_again(Core& core, File& file) {
  auto version = core.version_of(file);
  // Another node removed it, and it was not pinned yet: the kernel has the file, and nobody knows what it is.
  if (!version && version.error().code == Code::kNotFound) return {};
  TRY(version);
  const bool here = (*version)->has_image() && core.cache.present_chunks((*version)->manifest_id());
  auto image = here ? (*version)->image() : Result<std::shared_ptr<cache::Image>>(nullptr);
  MutexLock lock(file.mutex);
  if (image && *image && (*image)->complete() && (*image)->lend(file.id)) file.lent = std::move(*image);
  return {};
}

/// What the kernel goes on reading by itself stays in the cache.
Status lend_again(Core& core) {
  for (FileRef& file : core.files.all()) {
    bool lent = false;
    {
      MutexLock lock(file->mutex);
      lent = file->backing_id != 0 && !file->draft;
    }
    const Status done = lent ? lend_again(core, *file) : Status();
    core.let_go(std::move(file));
    TRY(done);
  }
  return {};
}

/// Attributes that drafts carried. Takes those out of the table that died before they were whole.
Carried carried_by_drafts(Core& core) {
  Carried carried;
  std::vector<SlotId> broken;
  core.memory->drafts().for_each([&](SlotId id, SharedSlot& slot) {
    const CarriedRecord record = slot.as<CarriedRecord>();
    if (record.kind != CarriedRecord::kKind) return;
    if (record.inode == 0 || !carried.try_emplace(InodeId{record.inode}, id, record).second) broken.push_back(id);
  });
  for (SlotId id : broken) core.memory->drafts().free(id);
  return carried;
}

/// Where a draft of an earlier life goes on. Nothing: it was published since it was noted. Other nodes may have
/// published since as well, and then it is not known which it was: what it holds does not win over what they did.
std::optional<Draft::Place> place_to_go_on(Core& core, const File& file, uint64_t base_generation)
    REQUIRES(file.mutex) {
  Draft::Place place = core.draft_place(file.id);
  if (base_generation == kAnyGeneration || file.generation == base_generation) return place;
  if (!core.shared) return std::nullopt;
  place.fencings = Draft::kOfAnotherLife;
  return place;
}

/// Gives the file the draft that `make` makes over its published content, if it is not published. False: it is, or the
/// file is gone. Who has it open goes on with it; if nobody has, it is published.
Result<bool> resume_draft(
    Core& core, Carried& carried, InodeId inode, uint64_t base_generation,
    const std::function<Result<std::unique_ptr<Draft>>(Draft::Place, std::shared_ptr<Version>, uint64_t)>& make) {
  FileRef file = core.files.acquire(inode);
  auto version = core.version_of(*file);
  if (!version) {
    core.let_go(std::move(file));
    if (version.error().code == Code::kNotFound) return false;
    return Failure(version.error());
  }
  {
    MutexLock lock(file->mutex);
    const auto place = place_to_go_on(core, *file, base_generation);
    if (file->draft || !place) return false;
    ASSIGN_OR_RETURN(file->draft, make(*place, *version, file->generation));
    if (auto found = carried.find(inode); found != carried.end()) {
      file->draft->resume_carried(found->second.first, found->second.second);
      carried.erase(found);
    }
    if (file->draft->carries()) core.carries_from_now(inode);
    // The uploader shall not take what was sealed for something that nobody wants.
    file->publication_open = true;
    ++core.open_publications;
  }
  if (core.files.users(inode) > 1) return true;
  Status published = publish(core, {}, *file);
  if (published) published = settle_live(core, *file);
  if (!published) {
    core.report(
        fmt::format("inode {} could not be published, and is tried again: {}", inode.value, published.error().what));
    core.keep_unpublished(std::move(file));
  } else {
    core.let_go(std::move(file));
  }
  return true;
}

/// What resume_draft() says, but that a draft which makes no sense is reported instead of stopping all others.
Result<bool> unless_damaged(Core& core, uint64_t inode, Result<bool> resumed) {
  if (resumed || resumed.error().code != Code::kCorrupt) return resumed;
  core.report(fmt::format("unpublished writes of inode {} cannot be gone on with: {}", inode, resumed.error().what));
  return false;
}

Status resume_small_drafts(Core& core, Carried& carried) {
  SlotTable& slots = core.memory->contents();
  std::vector<std::pair<SlotId, SmallDraftRecord>> noted;
  slots.for_each([&](SlotId id, SharedSlot& slot) { noted.emplace_back(id, slot.as<SmallDraftRecord>()); });
  for (const auto& [id, record] : noted) {
    bool resumed = false;
    if (record.changed != 0 && record.size <= limits::kSmallContentBytes) {
      auto make = [&, slot = id, small = record](Draft::Place place, std::shared_ptr<Version> base, uint64_t) {
        return Result<std::unique_ptr<Draft>>(Draft::resumed(place, slot, small, std::move(base)));
      };
      ASSIGN_OR_RETURN(resumed, resume_draft(core, carried, InodeId{record.inode}, record.base_generation, make));
    }
    if (!resumed) slots.free(id);
  }
  return {};
}

/// Takes what it resumes out of `all`.
Status resume_staged_drafts(Core& core, Carried& carried, ById& all) {
  SlotTable& slots = core.memory->drafts();
  std::vector<std::pair<SlotId, StagedDraftRecord>> noted;
  slots.for_each([&](SlotId id, SharedSlot& slot) {
    if (slot.as<CarriedRecord>().kind != CarriedRecord::kKind) noted.emplace_back(id, slot.as<StagedDraftRecord>());
  });
  for (const auto& [id, record] : noted) {
    auto found = record.inode == 0 ? all.end() : all.find(record.staging_id);
    // The request that began a take-over will be done again, from the beginning.
    if (found != all.end() && found->second.staging && found->second.staging->is_image_still()) {
      all.erase(found);
      found = all.end();
    }
    bool resumed = false;
    if (found != all.end() && !found->second.handover.empty()) {
      ASSIGN_OR_RETURN(const Draft::RecordHead head, Draft::head_of_record(found->second.handover));
      const uint64_t generation = head.live ? kAnyGeneration : record.base_generation;
      auto make = [&, slot = id, staged = record](Draft::Place place, std::shared_ptr<Version> base, uint64_t now) {
        return Draft::resumed(place, slot, staged, found->second, std::move(base), now);
      };
      ASSIGN_OR_RETURN(resumed, unless_damaged(core, record.inode,
                                               resume_draft(core, carried, InodeId{record.inode}, generation, make)));
    }
    if (resumed)
      all.erase(found);
    else
      slots.free(id);
  }
  return {};
}

// ---- What an earlier life saved against power loss.

/// The staging file and its record are of no use any more, once what made them so is safe.
void drop(Core& core, cache::Recovered& recovered) {
  Draft::Leftovers leftovers;
  if (recovered.sealed) leftovers.sealed.push_back(recovered.id);
  if (recovered.staging) leftovers.staged.push_back(std::move(recovered.staging));
  core.drop_after_barrier(std::move(leftovers));
}

Status recover_one(Core& core, cache::Recovered& recovered) {
  // Never synced, and whoever could have gone on with it is dead.
  if (recovered.record.empty()) {
    drop(core, recovered);
    return {};
  }
  ASSIGN_OR_RETURN(Draft::RecordHead head, Draft::head_of_record(recovered.record));
  FileRef file = core.files.acquire(head.inode);
  auto version = core.version_of(*file);
  if (!version && version.error().code == Code::kNotFound) {
    log::info("inode {} was removed; what was staged for it is dropped", head.inode.value);
    drop(core, recovered);
    return {};
  }
  TRY(version);
  {
    MutexLock lock(file->mutex);
    // A draft's record may outlive its publish.
    const auto place = place_to_go_on(core, *file, head.base_generation);
    if (file->draft || !place) {
      drop(core, recovered);
      return {};
    }
    ASSIGN_OR_RETURN(file->draft, Draft::recovered(*place, recovered, *version));
  }
  Status published = publish(core, {}, *file);
  if (published) {
    log::info("inode {}: what was written before the last stop is published", head.inode.value);
    core.let_go(std::move(file));
  } else {
    core.keep_unpublished(std::move(file));
  }
  return published;
}

void recover_saved(Core& core, ById& all) {
  // The newest of a file first: older ones have been saved before it, and were to be dropped.
  for (auto entry = all.rbegin(); entry != all.rend(); ++entry) {
    cache::Recovered& recovered = entry->second;
    Status done = recover_one(core, recovered);
    if (done) continue;
    if (recovered.staging) recovered.staging->keep();
    // The bytes of what was sealed stay as long as something may be published that nobody knows yet.
    if (recovered.sealed) ++core.open_publications;
    core.report(fmt::format("what was staged could not be published and stays for another try: {}", done.error().what));
  }
}

Status settle_orphans(Core& core) {
  ASSIGN_OR_RETURN(auto orphans, meta::orphans_of_this_node(core.volume));
  for (InodeId orphan : orphans) {
    FileRef file = core.files.find(orphan);
    if (!file) {
      TRY(meta::release_orphan(core.volume, {}, orphan));
      continue;
    }
    {
      MutexLock lock(file->mutex);
      file->orphan = true;
    }
    core.let_go(std::move(file));
  }
  return {};
}

}  // namespace

Status recover(Core& core) {
  ById all;
  for (cache::Recovered& recovered : core.cache.take_recovered()) {
    const uint64_t id = recovered.id;
    all.emplace(id, std::move(recovered));
  }
  restore_handles(core);
  TRY(resume_pinned(core));
  // Small ones first: bytes that moved from one place to the other are in both for a moment, and the staging file goes.
  Carried carried = carried_by_drafts(core);
  TRY(resume_small_drafts(core, carried));
  TRY(resume_staged_drafts(core, carried, all));
  // Their drafts were published.
  for (const auto& [inode, noted] : carried) core.memory->drafts().free(noted.first);
  TRY(lend_again(core));
  recover_saved(core, all);
  TRY(settle_power_loss(core));
  return settle_orphans(core);
}

}  // namespace weir::vfs
