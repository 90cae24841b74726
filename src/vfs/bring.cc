#include "vfs/bring.h"

#include "vfs/opens.h"

namespace weir::vfs {

namespace {

/// Waits outside of the file's mutex until `version` can be drafted over.
Status bring_base(Core& core, File& file, std::shared_ptr<Version>& version, const Waiting& waiting) {
  ASSIGN_OR_RETURN(version, core.version_of(file));
  if (!version->has_image()) TRY(version->whole(waiting));
  return {};
}

struct Missing {
  uint64_t index;
  ChunkId id;
  uint64_t length;
};

}  // namespace

Status with_needed(Core& core, File& file, const Needed& needed, const Change& change, const Waiting& waiting) {
  Given given;
  while (true) {
    Missing missing{};
    {
      MutexLock lock(file.mutex);
      if (!file.draft) return {};
      auto index = needed(*file.draft, given);
      if (!index) {
        Status changed = change(*file.draft, given);
        if (!changed && changed.error().code == Code::kStale) continue;  // an image that it read was taken over
        return changed;
      }
      missing = {*index, file.draft->chunk_id(*index), file.draft->stored_length(*index)};
    }
    ASSIGN_OR_RETURN(auto bytes, core.fetcher.chunk(missing.id, missing.length, waiting));
    given[missing.index] = {missing.id, std::move(bytes)};
  }
}

Status change_draft(Core& core, File& file, const Needed& needed, const Change& change, const Waiting& waiting) {
  Given given;
  while (true) {
    std::shared_ptr<Version> base;
    TRY(bring_base(core, file, base, waiting));
    Missing missing{};
    {
      MutexLock lock(file.mutex);
      if (!file.draft) {
        if (file.version != base) continue;
        const Draft::Place place = core.draft_place(file.id);
        // Readers to whom the kernel shows the file see what is written into it, and nothing else.
        ASSIGN_OR_RETURN(file.draft, is_shown(core, file) ? Draft::live_over(place, base, file.generation)
                                                          : Draft::over(place, base, file.generation));
      }
      auto index = needed(*file.draft, given);
      if (!index) {
        const uint64_t size_before = file.draft->size();
        Status changed = change(*file.draft, given);
        if (!changed && changed.error().code == Code::kStale) continue;  // an image that it read was taken over
        if (changed) file.draft->set_mtime_ns(core.volume.clock().realtime_ns());
        // Of a failed change a part may have happened.
        Status noted = file.draft->note();
        // What was refused is done again; what was to be appended would be there twice.
        if (changed && !noted) TRY(file.draft->take_back_growth(size_before));
        return changed ? noted : changed;
      }
      missing = {*index, file.draft->chunk_id(*index), file.draft->stored_length(*index)};
    }
    ASSIGN_OR_RETURN(auto bytes, core.fetcher.chunk(missing.id, missing.length, waiting));
    given[missing.index] = {missing.id, std::move(bytes)};
  }
}

}  // namespace weir::vfs
