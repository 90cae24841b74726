#include "daemon/mount/daemon_record.h"

#include <nlohmann/json.hpp>

#include "base/io.h"
#include "base/limits.h"
#include "daemon/control/line_socket.h"
#include "daemon/json.h"

namespace weir {

namespace {

std::string record_path(const std::string& metadata_directory) { return metadata_directory + "/daemon.json"; }

}  // namespace

Status write_daemon_record(const std::string& metadata_directory, const DaemonRecord& record) {
  Json json;
  json["pid"] = static_cast<uint64_t>(record.pid);
  json["control"] = record.control_path;
  json["mount_point"] = record.mount_point;
  return io::write_file_durably(record_path(metadata_directory), json_document(json));
}

void remove_daemon_record(const std::string& metadata_directory) {
  (void)io::remove_file(record_path(metadata_directory));
}

Result<std::optional<DaemonRecord>> read_live_daemon(const std::string& metadata_directory) {
  auto text = io::read_file(record_path(metadata_directory));
  if (!text && text.error().code == Code::kAccess)
    return error(Code::kAccess, "the volume at {} belongs to another user", metadata_directory);
  if (!text) return std::nullopt;
  auto json = parse_json_object(*text, "daemon.json");
  if (!json) return std::nullopt;
  auto pid = json_number(*json, "pid");
  auto control = json_text(*json, "control");
  auto mount_point = json_text(*json, "mount_point");
  if (!pid || !control || !mount_point) return std::nullopt;

  auto socket = LineSocket::connect(*control, limits::kControlReplyBytes);
  if (!socket && (socket.error().code == Code::kAccess || socket.error().code == Code::kPermission))
    return error(Code::kAccess, "the volume at {} is mounted at {} by another user", metadata_directory, *mount_point);
  if (!socket) return std::nullopt;
  return DaemonRecord{static_cast<int64_t>(*pid), *control, *mount_point};
}

}  // namespace weir
