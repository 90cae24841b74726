#pragma once

#include <functional>
#include <span>
#include <string>

#include "meta/volume.h"

namespace weir::meta {

struct CollectReport {
  uint64_t queue_entries = 0;  // done in this run
  uint64_t references_erased = 0;
  uint64_t chunks_condemned = 0;
  uint64_t chunks_revived = 0;
  uint64_t objects_deleted = 0;  // that were there, as far as is known
  uint64_t bytes_deleted = 0;
  uint64_t waiting = 0;  // entries that are not due yet
};

/// Deletes objects of the store, by their names. Absence is fine.
using RemoveObjects = std::function<Status(std::span<const std::string> object_names)>;
/// Called between batches; false stops the run early, which is fine at any point.
using KeepGoing = std::function<bool(const CollectReport&)>;

/// One run of the collector over all queue entries that are due: erases superseded pages and references, condemns
/// chunks that nothing names, and deletes the objects of those that stayed unnamed (docs/data-model.md, "Deleting").
/// `ignore_grace`: as if the grace were over for all. Calls Engine::barrier() before any object is deleted. Stops at
/// the first error. Blocks. Thread rule: one collector at a time in a volume.
Result<CollectReport> collect(Volume& volume, bool ignore_grace, const RemoveObjects& remove_objects,
                              const KeepGoing& keep_going);

}  // namespace weir::meta
