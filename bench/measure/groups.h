#pragma once

#include <vector>

#include "bench/measurement.h"
#include "bench/options.h"

/// What there is to measure, one file a group.
namespace weir::bench {

/// Reads of a big file in every state that matters.
Group read_group(const Sizes& sizes, bool passthrough);
/// The first read of a file that has to come from the object store.
Group fill_group(const Sizes& sizes);
/// Uploads to, and cold reads from, an S3 server, beside the plain client of bench/plain.
Group store_group(const Options& options);
/// Writes of new files, and in place.
Group write_group(const Sizes& sizes);
/// Create, stat, readdir, rename, unlink.
Group name_group(const Sizes& sizes);
/// What programs do to trees: tar, rm, git, rename of a big directory.
Group tree_group(const Sizes& sizes);
/// The daemon at rest.
Group idle_group(const Sizes& sizes);
/// The daemon's memory after many files, and while it serves a big one.
Group memory_group(const Sizes& sizes);

std::vector<Group> all_groups(const Options& options, bool passthrough);

}  // namespace weir::bench
