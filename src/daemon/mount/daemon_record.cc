#include "daemon/mount/daemon_record.h"

#include <nlohmann/json.hpp>

#include "base/clock.h"
#include "base/io.h"
#include "base/limits.h"
#include "daemon/control/line_socket.h"
#include "daemon/json.h"
#include "daemon/volume/process_identity.h"

namespace weir {

namespace {

std::string record_path(const std::string& metadata_directory) { return metadata_directory + "/daemon.json"; }

constexpr int64_t kLookAgainMs = 50;

Result<std::optional<DaemonRecord>> read_record(const std::string& metadata_directory) {
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
  DaemonRecord record{static_cast<int64_t>(*pid), *control, *mount_point, {}};
  record.supervisor.boot_id = json_text(*json, "boot").value_or("");
  record.supervisor.pid_namespace = json_number(*json, "supervisor_namespace").value_or(0);
  record.supervisor.pid = static_cast<int64_t>(json_number(*json, "supervisor").value_or(0));
  record.supervisor.started = json_number(*json, "supervisor_started").value_or(0);
  return record;
}

}  // namespace

Status write_daemon_record(const std::string& metadata_directory, const DaemonRecord& record) {
  Json json;
  json["pid"] = static_cast<uint64_t>(record.pid);
  json["control"] = record.control_path;
  json["mount_point"] = record.mount_point;
  json["supervisor"] = static_cast<uint64_t>(record.supervisor.pid);
  json["supervisor_started"] = record.supervisor.started;
  json["supervisor_namespace"] = record.supervisor.pid_namespace;
  json["boot"] = record.supervisor.boot_id;
  return io::write_file_durably(record_path(metadata_directory), json_document(json));
}

void remove_daemon_record(const std::string& metadata_directory) {
  (void)io::remove_file(record_path(metadata_directory));
}

Result<std::optional<DaemonRecord>> read_live_daemon(const std::string& metadata_directory) {
  for (int64_t waited_ms = 0;; waited_ms += kLookAgainMs) {
    ASSIGN_OR_RETURN(std::optional<DaemonRecord> record, read_record(metadata_directory));
    if (!record) return std::nullopt;
    auto socket = LineSocket::connect(record->control_path, limits::kControlReplyBytes, 0);
    if (socket || socket.error().code == Code::kTimeout) return record;
    if (socket.error().code == Code::kAccess || socket.error().code == Code::kPermission)
      return error(Code::kAccess, "the volume at {} is mounted at {} by another user", metadata_directory,
                   record->mount_point);
    if (!is_surely_alive(record->supervisor)) return std::nullopt;
    if (waited_ms >= limits::kMountProbeMs)
      return error(Code::kUnavailable,
                   "the daemon of {} is being started again by process {}, and does not listen yet; look into its log",
                   record->mount_point, record->supervisor.pid);
    SystemClock().sleep_ms(kLookAgainMs);
  }
}

}  // namespace weir
