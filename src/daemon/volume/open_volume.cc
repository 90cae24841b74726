#include "daemon/volume/open_volume.h"

#include <algorithm>

#include "daemon/mount/daemon_record.h"
#include "daemon/mount/state_paths.h"
#include "daemon/volume/node_file.h"
#include "daemon/volume/process_identity.h"
#include "meta/keys.h"
#include "object/open_store.h"

namespace weir {

namespace {

std::string default_cache_directory(const VolumeSettings& settings) {
  return fmt::format("{}/cache/{}", state_home(), settings.volume_id);
}

/// Of a shared volume: the cache that this machine used last. It may hold what is stored nowhere else, so a mount that
/// names none must find it again.
Result<std::string> last_cache_here(kv::Engine& engine, const VolumeSettings& settings) {
  ASSIGN_OR_RETURN(std::vector<KnownNode> nodes, all_nodes(engine));
  std::string found;
  for (const KnownNode& known : nodes) {
    if (known.info.host != this_host() || known.info.cache_directory.empty()) continue;
    auto node = read_node_file(known.info.cache_directory, settings.volume_id);
    if (node && *node && **node == known.id) found = known.info.cache_directory;
  }
  return found;
}

/// Which node this process will be, and where its cache lies.
struct Place {
  NodeId node;
  std::string cache_directory;
  bool passing = false;
};

Result<Place> embedded_place(kv::Engine& engine, const OpenRequest& request, const VolumeSettings& settings) {
  std::string directory = request.cache_directory;
  if (directory.empty()) {
    ASSIGN_OR_RETURN(auto last, last_node_info(engine, kSingleNode));
    directory = last && !last->cache_directory.empty() ? last->cache_directory : default_cache_directory(settings);
  }
  return Place{kSingleNode, directory};
}

Result<Place> shared_place(kv::Engine& engine, const OpenRequest& request, const VolumeSettings& settings) {
  std::string directory = request.cache_directory;
  if (directory.empty()) {
    ASSIGN_OR_RETURN(directory, last_cache_here(engine, settings));
  }
  if (directory.empty()) directory = default_cache_directory(settings);
  ASSIGN_OR_RETURN(auto known, read_node_file(directory, settings.volume_id));
  if (known) return Place{*known, directory};
  ASSIGN_OR_RETURN(NodeId node, new_node_id(engine));
  const bool passing = request.mount_point.empty();
  if (!passing) TRY(write_node_file(directory, settings.volume_id, node));
  return Place{node, directory, passing};
}

/// Of a mount that goes on, the store may be out of reach just now.
Status open_object_store(OpenedVolume& opened, bool goes_on) {
  const VolumeSettings& settings = opened.volume->settings();
  const auto open = goes_on ? object::resume_store : object::open_store;
  auto store = open(settings.store_url, store_marker(settings), opened.clock);
  if (!store) return error(store.error().code, "cannot open the volume's object store: {}", store.error().what);
  opened.plain_store = std::move(*store);
  opened.store = std::make_unique<object::RetryingStore>(*opened.plain_store, opened.clock, opened.random);
  return {};
}

}  // namespace

Status check_not_mounted(const MetadataUrl& metadata) {
  if (!metadata.embedded()) return {};
  ASSIGN_OR_RETURN(auto daemon, read_live_daemon(metadata.directory));
  if (!daemon) return {};
  return error(Code::kBusy, "the volume at {} is mounted at {} by process {}; unmount it with: weir umount {}",
               metadata.directory, daemon->mount_point, daemon->pid, daemon->mount_point);
}

std::string store_marker(const VolumeSettings& settings) {
  return fmt::format("weir volume {} incarnation {}\n", settings.volume_id, settings.incarnation);
}

Result<VolumeSettings> read_settings(kv::Engine& engine, const MetadataUrl& metadata) {
  ASSIGN_OR_RETURN(auto row, engine.begin()->get(meta::keys::settings()));
  if (!row)
    return error(Code::kNotFound, "there is no volume at {}; create one with: weir format {} --store URL",
                 metadata.display, metadata.display);
  ASSIGN_OR_RETURN(VolumeSettings settings, VolumeSettings::decode(row->bytes));
  if (uint32_t format = std::max(settings.oldest_reader, settings.oldest_writer); format > kVolumeFormat)
    return error(Code::kUnsupported,
                 "the volume at {} has format {}, and this weir knows formats up to {}; use a newer weir",
                 metadata.display, format, kVolumeFormat);
  return settings;
}

Result<std::unique_ptr<OpenedVolume>> open_volume(const OpenRequest& request) {
  if (!request.goes_on) TRY(check_not_mounted(request.metadata));
  auto opened = std::make_unique<OpenedVolume>();
  ASSIGN_OR_RETURN(opened->engine, kv::open_engine(request.metadata.url, false));
  ASSIGN_OR_RETURN(VolumeSettings settings, read_settings(*opened->engine, request.metadata));
  const bool shared = opened->engine->capabilities().shared;
  ASSIGN_OR_RETURN(Place place, shared ? shared_place(*opened->engine, request, settings)
                                       : embedded_place(*opened->engine, request, settings));
  opened->node = place.node;
  opened->cache_directory = place.cache_directory;
  ASSIGN_OR_RETURN(opened->previous, last_node_info(*opened->engine, place.node));

  NodeLease::Request wanted{place.node, request.mount_point, request.zone, place.passing};
  ASSIGN_OR_RETURN(opened->lease, NodeLease::take(*opened->engine, wanted, opened->clock, opened->random));
  ASSIGN_OR_RETURN(opened->volume, meta::Volume::open(*opened->engine, place.node, opened->clock, opened->random));
  opened->lease->guard(*opened->volume, [counted = opened.get()] { ++counted->rejoins; });
  TRY(open_object_store(*opened, request.goes_on));
  return opened;
}

}  // namespace weir
