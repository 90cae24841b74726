#include "daemon/volume/format_volume.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>

#include "base/clock.h"
#include "base/hex.h"
#include "base/random.h"
#include "daemon/volume/open_volume.h"
#include "fuse/mount_info.h"
#include "kv/engine.h"
#include "meta/dump.h"
#include "meta/keys.h"
#include "meta/volume.h"
#include "object/open_store.h"

namespace weir {

namespace {

/// Neither metadata nor a store may lie within those of another volume, which would take them for damage.
Status check_outside_volumes(std::filesystem::path directory, const std::string& path, std::string_view what) {
  for (; directory.has_relative_path(); directory = directory.parent_path()) {
    bool metadata =
        ::access((directory / "format").c_str(), F_OK) == 0 && ::access((directory / "db").c_str(), F_OK) == 0;
    if (metadata || ::access((directory / "weir-store").c_str(), F_OK) == 0)
      return error(Code::kInvalid, "{} {} lies inside {}, which is the {} of another volume; choose a place elsewhere",
                   what, path, directory.string(), metadata ? "metadata" : "object store");
  }
  return {};
}

Status check_parent(const std::string& path, std::string_view what) {
  std::string parent = std::filesystem::path(path).parent_path();
  struct stat attributes {};
  if (::stat(parent.c_str(), &attributes) != 0) {
    if (errno != ENOENT) return errno_error(errno, fmt::format("look at {}", parent));
    return error(Code::kNotFound, "directory {} for the {} does not exist; create it first", parent, what);
  }
  if (!S_ISDIR(attributes.st_mode)) return error(Code::kNotDirectory, "{} is not a directory", parent);
  return check_outside_volumes(parent, path, what);
}

/// A local store's directory; empty for other stores. `canonical` is of canonical_store_url().
std::string directory_of_store(const std::string& canonical) {
  constexpr std::string_view kFile = "file://";
  return canonical.starts_with(kFile) ? canonical.substr(kFile.size()) : "";
}

bool is_below(const std::string& path, const std::string& directory) {
  return path == directory || path.starts_with(directory + "/");
}

Status check_places(const MetadataUrl& metadata, const std::string& store_directory) {
  if (metadata.embedded()) {
    TRY(check_outside_mounts(metadata.directory, "metadata directory"));
    TRY(check_parent(metadata.directory, "metadata"));
  }
  if (store_directory.empty()) return {};
  TRY(check_outside_mounts(store_directory, "store directory"));
  TRY(check_parent(store_directory, "object store"));
  if (metadata.embedded() &&
      (is_below(store_directory, metadata.directory) || is_below(metadata.directory, store_directory)))
    return error(Code::kInvalid, "metadata {} and store {} must not lie inside one another", metadata.directory,
                 store_directory);
  return {};
}

/// A new database, or the empty one of a format that broke off.
Result<std::unique_ptr<kv::Engine>> create_engine(const MetadataUrl& metadata) {
  auto created = kv::open_engine(metadata.url, true, meta::keys::layout());
  if (created || created.error().code != Code::kExists) return created;
  auto present = kv::open_engine(metadata.url, false);
  if (!present && present.error().code == Code::kUnsupported) return present;
  if (!present) return created;
  auto settings = read_settings(**present, metadata);
  if (settings)
    return error(Code::kExists, "there is a volume at {} already; mount it with: weir mount {} MOUNTPOINT",
                 metadata.display, metadata.display);
  if (settings.error().code == Code::kUnsupported) return error(Code::kUnsupported, "{}", settings.error().what);
  if (settings.error().code != Code::kNotFound) return created;
  ASSIGN_OR_RETURN(const bool occupied, meta::has_rows(**present));
  if (occupied)
    return error(Code::kNotEmpty, "{} has what a load that was broken off left; remove it, or name another place",
                 metadata.display);
  return present;
}

/// The ids in the marker of a store that holds no objects; nothing for any other store.
std::optional<std::pair<std::string, std::string>> ids_of_empty_store(const std::string& url, const Clock& clock) {
  auto marker = object::read_store_marker(url);
  if (!marker || !*marker) return std::nullopt;
  constexpr size_t kDigits = 32;
  constexpr std::string_view kBefore = "weir volume ";
  constexpr std::string_view kBetween = " incarnation ";
  const Bytes& text = **marker;
  if (text.size() != kBefore.size() + kDigits + kBetween.size() + kDigits + 1 || !text.starts_with(kBefore))
    return std::nullopt;
  auto store = object::open_store(url, text, clock);
  if (!store) return std::nullopt;
  auto objects = (*store)->list("", "", 1);
  if (!objects || !objects->objects.empty()) return std::nullopt;
  return std::pair(text.substr(kBefore.size(), kDigits),
                   text.substr(kBefore.size() + kDigits + kBetween.size(), kDigits));
}

VolumeSettings new_settings(const FormatRequest& request, const std::string& store_url, const Clock& clock) {
  SystemRandom random;
  VolumeSettings settings;
  settings.volume_id = to_hex(random.bytes(16));
  settings.incarnation = to_hex(random.bytes(16));
  settings.name = request.name;
  settings.durability = request.durability;
  settings.store_url = store_url;
  settings.oldest_reader = settings.oldest_writer = kVolumeFormat;
  settings.name_hash_key[0] = random.next_u64();
  settings.name_hash_key[1] = random.next_u64();
  settings.created_ns = clock.realtime_ns();
  return settings;
}

}  // namespace

Status check_outside_mounts(const std::string& path, std::string_view what) {
  auto mount = fuse::find_mount(path);
  if (!mount) return {};
  return error(Code::kInvalid, "{} {} lies inside the Weir volume mounted at {}; choose one on a local disk", what,
               path, mount->mount_point);
}

Result<VolumeSettings> format_volume(const FormatRequest& request) {
  SystemClock clock;
  ASSIGN_OR_RETURN(std::string store_url, object::canonical_store_url(request.store_url));
  TRY(check_places(request.metadata, directory_of_store(store_url)));
  ASSIGN_OR_RETURN(std::unique_ptr<kv::Engine> engine, create_engine(request.metadata));

  VolumeSettings settings = new_settings(request, store_url, clock);
  if (request.own_store) {
    if (auto ids = ids_of_empty_store(store_url, clock)) std::tie(settings.volume_id, settings.incarnation) = *ids;
  }
  // The store comes first: a volume that exists has a store, so a missing one always means trouble.
  TRY(object::create_store(store_url, store_marker(settings), clock));
  TRY(meta::Volume::format(*engine, settings, ::geteuid(), ::getegid(), clock));
  TRY(engine->barrier());
  return settings;
}

}  // namespace weir
