#include "daemon/volume/open_volume.h"

#include <algorithm>

#include "daemon/mount/daemon_record.h"
#include "daemon/mount/state_paths.h"
#include "meta/keys.h"
#include "object/open_store.h"

namespace weir {

namespace {

/// Busy, with where it is mounted, which the engine's own lock cannot say.
Status check_not_mounted(const MetadataUrl& metadata) {
  if (!metadata.embedded()) return {};
  ASSIGN_OR_RETURN(auto daemon, read_live_daemon(metadata.directory));
  if (!daemon) return {};
  return error(Code::kBusy, "the volume at {} is mounted at {} by process {}; unmount it with: weir umount {}",
               metadata.directory, daemon->mount_point, daemon->pid, daemon->mount_point);
}

std::string choose_cache_directory(const OpenRequest& request, const VolumeSettings& settings,
                                   const std::optional<NodeInfo>& last) {
  if (!request.cache_directory.empty()) return request.cache_directory;
  if (last && !last->cache_directory.empty()) return last->cache_directory;
  return fmt::format("{}/cache/{}", state_home(), settings.volume_id);
}

Status open_object_store(OpenedVolume& opened) {
  const VolumeSettings& settings = opened.volume->settings();
  auto store = object::open_store(settings.store_url, store_marker(settings), opened.clock);
  if (!store) return error(store.error().code, "cannot open the volume's object store: {}", store.error().what);
  opened.plain_store = std::move(*store);
  opened.store = std::make_unique<object::RetryingStore>(*opened.plain_store, opened.clock, opened.random);
  return {};
}

}  // namespace

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
  ASSIGN_OR_RETURN(opened->previous, last_node_info(*opened->engine, kSingleNode));
  opened->cache_directory = choose_cache_directory(request, settings, opened->previous);

  NodeLease::Request wanted{kSingleNode, request.mount_point};
  ASSIGN_OR_RETURN(opened->lease, NodeLease::take(*opened->engine, wanted, opened->clock, opened->random));
  ASSIGN_OR_RETURN(opened->volume, meta::Volume::open(*opened->engine, kSingleNode, opened->clock, opened->random));
  TRY(open_object_store(*opened));
  return opened;
}

}  // namespace weir
