#pragma once

#include <functional>
#include <string>

#include "kv/engine.h"
#include "model/records.h"

/// All rows of a volume as a file, for another engine (docs/formats.md, "Dump").
namespace weir::meta {

struct DumpProgress {
  uint64_t rows = 0;
  uint64_t bytes = 0;     // of the file
  uint64_t unstored = 0;  // of a dump: duties of nodes to upload a chunk, whose bytes lie in their caches
};
/// False: stop, with Interrupted.
using KeepDumping = std::function<bool(const DumpProgress&)>;

/// Writes all rows into `fd`, which is empty, but for those that mean something only to the processes that wrote them
/// (leases, outcomes of requests, locks). NotFound: no volume there. Requires: nobody changes the volume meanwhile.
/// Blocks.
Result<DumpProgress> write_dump(kv::Engine& engine, int fd, const KeepDumping& keep_going);

/// The settings of the dumped volume. Corrupt, Unsupported: no dump, or of a newer Weir.
Result<VolumeSettings> read_dump_settings(int fd);

/// Puts the rows of a dump into an engine that has none, all but the settings: without those it holds no volume.
/// NotEmpty: it has rows. Corrupt: the dump is damaged or cut short. Blocks.
Result<DumpProgress> load_dump(kv::Engine& engine, int fd, const KeepDumping& keep_going);
/// The last step: now there is a volume.
Status put_settings(kv::Engine& engine, const VolumeSettings& settings);
/// Takes out what a load that failed has put, which is all there is. Blocks.
Status wipe(kv::Engine& engine);
/// Whether there is any row.
Result<bool> has_rows(kv::Engine& engine);

}  // namespace weir::meta
