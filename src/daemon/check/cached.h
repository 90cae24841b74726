#pragma once

#include <functional>

#include "cache/cache.h"
#include "daemon/check/check_volume.h"
#include "daemon/check/objects.h"

namespace weir {

/// The part of check_volume() about this node's cache: files that belong to nothing or have a wrong size, uploads that
/// nobody will do ("forgotten_upload"), and, when `deep`, cached bytes that are not what their chunk's id says
/// ("corrupt_cached_chunk"). With `repair`: removes such files and images, and uploads. Blocks.
Status check_cache(meta::Volume& volume, object::ObjectStore& store, cache::Cache& cache, NamedChunks& chunks,
                   const CheckRequest& request, const std::function<void(meta::Problem)>& report);

}  // namespace weir
