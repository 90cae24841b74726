#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/log.h"
#include "base/result.h"
#include "daemon/json.h"
#include "daemon/volume/metadata_url.h"
#include "model/records.h"

namespace weir {

/// Whether the kernel reads complete files by itself.
enum class Passthrough {
  kAuto,  // if it can
  kOn,    // it must; the mount fails otherwise
  kOff,
};

/// Between whom fcntl and flock locks hold.
enum class LockReach {
  kAuto,    // among nodes, where metadata are shared
  kLocal,   // the processes of this node
  kShared,  // all nodes
};

/// What `weir up` makes on first use.
struct VolumeToCreate {
  std::string store_url;
  std::string name;
};

/// How a volume is mounted on this machine.
struct MountConfig {
  MetadataUrl metadata;
  std::string mount_point;       // absolute
  std::string cache_directory;   // absolute; empty: the one used last
  std::string zone;              // of this node; on shared metadata
  std::string listen;            // ADDRESS:PORT of the HTTP server, "none"; empty: as suits the metadata
  std::string advertise;         // what other nodes are told instead; empty: where it listens
  std::string metrics_token;     // file with the token for metrics, absolute; empty: none
  uint64_t cache_bytes_max = 0;  // 0: what the disk has
  uint64_t reserve_bytes = 0;    // 0: the cache's own rule
  int64_t read_timeout_ms = 60'000;
  uint64_t upload_bytes_per_second = 0;  // 0: no limit
  bool wait_when_full = false;           // for room in the cache, instead of ENOSPC
  std::optional<Durability> durability;  // nothing: the volume's
  std::optional<bool> allow_other;       // nothing: if this user may
  bool over_files = false;
  Passthrough passthrough = Passthrough::kAuto;
  LockReach locks = LockReach::kAuto;
  int workers = 0;       // 0: as many as suit the machine
  std::string log_file;  // absolute; empty: stderr
  log::Level log_level = log::Level::kInfo;
  std::optional<VolumeToCreate> create;  // if there is no volume yet
};

/// As one process tells it another. Invalid when it is not such a description.
Json to_json(const MountConfig& config);
Result<MountConfig> mount_config_of(const Json& json);

/// Locks hold among nodes. Unsupported: they shall, and metadata have one node.
Result<bool> shares_locks(const MountConfig& config, bool shared_metadata);

/// allow_other as asked for, or else whether this user may have it.
bool allow_other_of(const MountConfig& config);

/// Looks at everything that can be wrong with the places a mount needs, before anything is opened: the mount point is a
/// directory, empty or permitted to be covered, not a mount already; cache and log lie outside of it and of other
/// mounts. A dead mount of Weir at the mount point is no error. Each error is a sentence. Blocks: some seconds at most.
Status check_mount_config(const MountConfig& config);

}  // namespace weir
