#include <nlohmann/json.hpp>

#include "daemon/commands/commands.h"
#include "daemon/daemon.h"
#include "vfs/admin.h"

namespace weir {

namespace {

std::string_view type_name(FileType type) {
  switch (type) {
    case FileType::kFile: return "file";
    case FileType::kDirectory: return "directory";
    case FileType::kSymlink: return "symlink";
    case FileType::kFifo: return "fifo";
    case FileType::kSocket: return "socket";
    case FileType::kCharDevice: return "character device";
    case FileType::kBlockDevice: return "block device";
  }
  return "file";
}

}  // namespace

Result<Json> run_stat(Daemon& daemon, const Json& request) {
  auto inode = json_number(request, "inode");
  if (!inode) return error(Code::kInvalid, "the request has no inode number");
  ASSIGN_OR_RETURN(vfs::FileStatus status, vfs::file_status(daemon.filesystem(), InodeId{*inode}));
  Json json;
  json["inode"] = status.inode.value;
  json["type"] = type_name(status.type);
  json["size"] = status.size;
  if (status.type != FileType::kFile) return json;
  json["generation"] = status.generation;
  json["form"] = status.form;
  json["manifest"] = status.manifest.is_zero() ? Json(nullptr) : Json(status.manifest.hex());
  json["state"] = meta::state_name(status.state);
  json["chunks"] = status.chunks;
  json["holes"] = status.holes;
  json["chunks_cached"] = status.chunks_cached;
  json["chunks_stored"] = status.chunks_stored;
  json["complete"] = status.complete;
  json["unpublished"] = status.unpublished;
  json["open_handles"] = status.open_handles;
  return json;
}

}  // namespace weir
