#pragma once

#include <string>

#include "daemon/volume/metadata_url.h"
#include "meta/dump.h"

namespace weir {

struct Dumped {
  VolumeSettings settings;
  meta::DumpProgress size;
};
/// Writes the metadata of a volume that nobody has mounted into a new file, durably; on failure there is none. Busy: it
/// is mounted, and where, or was meanwhile. Exists: the file is there. Blocks.
Result<Dumped> dump_volume(const MetadataUrl& metadata, const std::string& path, const meta::KeepDumping& keep_going);

struct LoadRequest {
  std::string path;
  MetadataUrl metadata;     // new
  bool take_store = false;  // also from another incarnation of the same volume than the one that was dumped
};
struct Loaded {
  VolumeSettings settings;  // with the new incarnation
  meta::DumpProgress size;
};
/// Makes a volume of a dump, with an incarnation of its own, and gives it the object store: whoever opens the one that
/// was dumped finds that the store is not its own any more, and deletes nothing. A load that fails or is interrupted
/// leaves no volume. Exists, NotEmpty: there is something at the new place. Invalid: the store belongs to another
/// volume, or to another incarnation. Blocks.
Result<Loaded> load_volume(const LoadRequest& request, const meta::KeepDumping& keep_going);

}  // namespace weir
