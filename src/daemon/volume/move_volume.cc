#include "daemon/volume/move_volume.h"

#include <fcntl.h>

#include <filesystem>

#include "base/hex.h"
#include "base/io.h"
#include "base/log.h"
#include "base/random.h"
#include "daemon/mount/daemon_record.h"
#include "daemon/volume/format_volume.h"
#include "daemon/volume/node_lease.h"
#include "daemon/volume/open_volume.h"
#include "daemon/volume/process_identity.h"
#include "meta/keys.h"
#include "object/open_store.h"

namespace weir {

namespace {

/// Versions of the rows that every mount changes; Busy when one says that somebody has the volume.
Result<std::vector<kv::Version>> check_nobody_works(kv::Engine& engine, const MetadataUrl& metadata) {
  ASSIGN_OR_RETURN(auto rows, engine.begin()->scan(meta::keys::all_of(meta::keys::kNode), limits::kScanRows));
  std::vector<kv::Version> versions;
  for (const kv::KeyValue& row : rows) {
    ASSIGN_OR_RETURN(const NodeInfo info, NodeInfo::decode(row.bytes));
    // One whose process can be seen to be dead needs not have left.
    if (info.active && !is_surely_dead(info.process))
      return error(Code::kBusy, "the volume at {} is in use by {}; unmount it there first", metadata.display,
                   describe_holder(info));
    versions.push_back(row.version);
  }
  return versions;
}

/// A file that goes away unless it is kept.
class NewFile {
 public:
  static Result<std::unique_ptr<NewFile>> make(const std::string& path) {
    auto fd = io::open_file(path, O_RDWR | O_CREAT | O_EXCL);
    if (!fd && fd.error().code == Code::kExists)
      return error(Code::kExists, "{} is there already; name a new file for the dump", path);
    if (!fd) return Failure(fd.error());
    return std::unique_ptr<NewFile>(new NewFile(path, std::move(*fd)));
  }
  ~NewFile() {
    if (kept_) return;
    if (Status removed = io::remove_file(path_); !removed) log::warning("{}", removed.error().what);
  }
  NewFile(const NewFile&) = delete;
  NewFile& operator=(const NewFile&) = delete;

  int fd() const { return fd_.get(); }
  Status keep() {
    TRY(io::sync_data(fd_.get(), path_));
    const std::string parent = std::filesystem::absolute(path_).parent_path();
    TRY(io::sync_directory(parent));
    kept_ = true;
    return {};
  }

 private:
  NewFile(std::string path, FileDescriptor fd) : path_(std::move(path)), fd_(std::move(fd)) {}

  const std::string path_;
  const FileDescriptor fd_;
  bool kept_ = false;
};

Result<std::unique_ptr<kv::Engine>> create_engine(const MetadataUrl& metadata) {
  if (metadata.embedded()) TRY(check_outside_mounts(metadata.directory, "metadata directory"));
  auto created = kv::open_engine(metadata.url, true, meta::keys::layout());
  if (created || created.error().code != Code::kExists) return created;
  // Nothing is in what a load that failed left.
  auto present = kv::open_engine(metadata.url, false);
  if (!present) return created;
  ASSIGN_OR_RETURN(const bool occupied, meta::has_rows(**present));
  if (!occupied) return present;
  return error(Code::kExists, "there is something at {} already; a volume is loaded into a new place only",
               metadata.display);
}

Failure of_file(const Error& cause, const std::string& path) {
  return error(cause.code, "cannot load {}: {}", path, cause.what);
}

/// The marker that the store has to have, by what the dump says and the user allows.
Result<Bytes> marker_to_change(const LoadRequest& request, const VolumeSettings& dumped) {
  ASSIGN_OR_RETURN(const std::optional<Bytes> marker, object::read_store_marker(dumped.store_url));
  if (!marker)
    return error(Code::kUnavailable, "the volume's object store {} is not there; the loaded volume needs it",
                 dumped.store_url);
  if (*marker == store_marker(dumped)) return *marker;
  const bool same_volume = marker->starts_with(fmt::format("weir volume {} ", dumped.volume_id));
  if (same_volume && request.take_store) return *marker;
  if (same_volume)
    return error(Code::kInvalid,
                 "the object store {} belongs to another incarnation of the volume, which was loaded from a dump "
                 "before; to take it away from that, add --take-store",
                 dumped.store_url);
  return error(Code::kInvalid, "the object store {} is not that of the dumped volume any more", dumped.store_url);
}

Result<meta::DumpProgress> fill(kv::Engine& engine, const LoadRequest& request, int fd, const VolumeSettings& settings,
                                const Bytes& old_marker, const meta::KeepDumping& keep_going) {
  SystemClock clock;
  ASSIGN_OR_RETURN(meta::DumpProgress size, meta::load_dump(engine, fd, keep_going));
  TRY(engine.barrier());
  // Until the settings are there, there is no volume; until the store has its marker, it cannot be mounted, and the
  // volume that was dumped still can.
  TRY(meta::put_settings(engine, settings));
  TRY(engine.barrier());
  Status given = object::change_store_marker(settings.store_url, old_marker, store_marker(settings), clock);
  if (!given)
    return error(given.error().code, "the volume is loaded at {}, but the object store did not become its own: {}",
                 request.metadata.display, given.error().what);
  return size;
}

}  // namespace

Result<Dumped> dump_volume(const MetadataUrl& metadata, const std::string& path, const meta::KeepDumping& keep_going) {
  TRY(check_not_mounted(metadata));
  ASSIGN_OR_RETURN(auto engine, kv::open_engine(metadata.url, false));
  Dumped dumped;
  ASSIGN_OR_RETURN(dumped.settings, read_settings(*engine, metadata));
  ASSIGN_OR_RETURN(const auto before, check_nobody_works(*engine, metadata));
  ASSIGN_OR_RETURN(auto file, NewFile::make(path));
  ASSIGN_OR_RETURN(dumped.size, meta::write_dump(*engine, file->fd(), keep_going));
  ASSIGN_OR_RETURN(const auto after, check_nobody_works(*engine, metadata));
  if (before != after)
    return error(Code::kBusy, "the volume at {} was mounted while it was dumped; dump it again", metadata.display);
  TRY(file->keep());
  return dumped;
}

Result<Loaded> load_volume(const LoadRequest& request, const meta::KeepDumping& keep_going) {
  ASSIGN_OR_RETURN(const FileDescriptor file, io::open_file(request.path, O_RDONLY));
  Loaded loaded;
  auto settings = meta::read_dump_settings(file.get());
  if (!settings) return of_file(settings.error(), request.path);
  ASSIGN_OR_RETURN(const Bytes old_marker, marker_to_change(request, *settings));
  loaded.settings = std::move(*settings);
  loaded.settings.incarnation = to_hex(SystemRandom().bytes(16));
  ASSIGN_OR_RETURN(auto engine, create_engine(request.metadata));
  auto size = fill(*engine, request, file.get(), loaded.settings, old_marker, keep_going);
  if (size) {
    loaded.size = *size;
    return loaded;
  }
  auto opens = engine->begin()->get(meta::keys::settings());
  if (opens && !*opens && size.error().code != Code::kNotEmpty) {
    if (Status wiped = meta::wipe(*engine); !wiped)
      log::warning("what was loaded stays at {}: {}", request.metadata.display, wiped.error().what);
  }
  if (size.error().code == Code::kCorrupt) return of_file(size.error(), request.path);
  return Failure(std::move(size).error());
}

}  // namespace weir
