#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <string>

#include "base/clock.h"
#include "base/random.h"
#include "base/result.h"
#include "daemon/volume/metadata_url.h"
#include "daemon/volume/node_lease.h"
#include "kv/engine.h"
#include "meta/volume.h"
#include "model/records.h"
#include "object/object_store.h"
#include "object/retrying/retrying_store.h"

namespace weir {

/// The one node of a volume with embedded metadata.
inline constexpr NodeId kSingleNode{1};

/// A volume with its metadata and its object store, held by this process alone. Parts in the order in which they use
/// each other.
struct OpenedVolume {
  SystemClock clock;
  SystemRandom random;
  NodeId node;
  std::unique_ptr<kv::Engine> engine;
  std::unique_ptr<NodeLease> lease;
  std::unique_ptr<meta::Volume> volume;
  std::unique_ptr<object::ObjectStore> plain_store;
  std::unique_ptr<object::RetryingStore> store;  // over plain_store
  std::string cache_directory;
  std::optional<NodeInfo> previous;   // who worked on it as this node before
  std::atomic<uint64_t> rejoins = 0;  // times that this node was found dead by others, and came back
};

struct OpenRequest {
  MetadataUrl metadata;
  std::string mount_point{};      // empty: for a command on the unmounted volume
  std::string cache_directory{};  // empty: the one used last, or one below state_home()
  std::string zone{};
  bool goes_on = false;  // it is mounted, and this process goes on after its daemon
};

/// NotFound: no volume there. Busy: mounted, with where. Unsupported: of a newer format. Unavailable, Invalid: the
/// object store is gone, or is another volume's. Each a sentence. Blocks; up to limits::kLeaseMs on shared metadata.
Result<std::unique_ptr<OpenedVolume>> open_volume(const OpenRequest& request);

/// Busy, with where it is mounted, which the engine's own lock cannot say. Only of an embedded volume.
Status check_not_mounted(const MetadataUrl& metadata);

/// The settings of the volume in `engine`. NotFound and Unsupported as above. Takes nothing and changes nothing.
Result<VolumeSettings> read_settings(kv::Engine& engine, const MetadataUrl& metadata);

/// What the object store of a volume is marked with.
std::string store_marker(const VolumeSettings& settings);

}  // namespace weir
