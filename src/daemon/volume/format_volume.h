#pragma once

#include <string>

#include "base/result.h"
#include "daemon/volume/metadata_url.h"
#include "model/records.h"

namespace weir {

struct FormatRequest {
  MetadataUrl metadata;
  std::string store_url;
  std::string name;
  /// The store is used by nothing but this metadata: one that is marked and empty was left by an attempt that broke
  /// off, and is taken over.
  bool own_store = false;
  Durability durability = Durability::kLocal;
};

/// Makes a new, empty volume, owned by the calling user. Exists: there is one; NotEmpty: other things are in the way;
/// NotFound: the directory above is missing; Invalid: it would lie inside a mounted volume. Each a sentence. What an
/// attempt that broke off left behind is completed. Blocks.
Result<VolumeSettings> format_volume(const FormatRequest& request);

/// Invalid, with a sentence, when `path` lies on a mounted volume of Weir; `what` names it ("metadata directory").
Status check_outside_mounts(const std::string& path, std::string_view what);

}  // namespace weir
