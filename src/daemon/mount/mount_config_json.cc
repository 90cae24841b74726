#include <algorithm>
#include <nlohmann/json.hpp>

#include "daemon/mount/mount_config.h"

namespace weir {

Json to_json(const MountConfig& config) {
  Json json;
  json["mount_point"] = config.mount_point;
  json["metadata_url"] = config.metadata.url;
  json["cache_directory"] = config.cache_directory;
  json["zone"] = config.zone;
  json["listen"] = config.listen;
  json["advertise"] = config.advertise;
  json["metrics_token"] = config.metrics_token;
  json["cache_bytes_max"] = config.cache_bytes_max;
  json["reserve_bytes"] = config.reserve_bytes;
  json["read_timeout_ms"] = config.read_timeout_ms;
  json["upload_bytes_per_second"] = config.upload_bytes_per_second;
  json["wait_when_full"] = config.wait_when_full;
  if (config.durability) json["durability"] = durability_name(*config.durability);
  if (config.allow_other) json["allow_other"] = *config.allow_other;
  json["over_files"] = config.over_files;
  json["passthrough"] = static_cast<int>(config.passthrough);
  json["locks"] = static_cast<int>(config.locks);
  json["workers"] = config.workers;
  json["log_file"] = config.log_file;
  json["log_level"] = static_cast<int>(config.log_level);
  if (config.create) {
    json["create_store"] = config.create->store_url;
    json["create_name"] = config.create->name;
  }
  return json;
}

Result<MountConfig> mount_config_of(const Json& json) {
  auto mount_point = json_text(json, "mount_point");
  auto url = json_text(json, "metadata_url");
  if (!mount_point || !url) return error(Code::kInvalid, "the description of a mount lacks its place or its metadata");
  MountConfig config;
  config.mount_point = *mount_point;
  ASSIGN_OR_RETURN(config.metadata, parse_metadata_url(*url));
  config.cache_directory = json_text(json, "cache_directory").value_or("");
  config.zone = json_text(json, "zone").value_or("");
  config.listen = json_text(json, "listen").value_or("");
  config.advertise = json_text(json, "advertise").value_or("");
  config.metrics_token = json_text(json, "metrics_token").value_or("");
  config.cache_bytes_max = json_number(json, "cache_bytes_max").value_or(0);
  config.reserve_bytes = json_number(json, "reserve_bytes").value_or(0);
  config.read_timeout_ms = static_cast<int64_t>(
      json_number(json, "read_timeout_ms").value_or(static_cast<uint64_t>(config.read_timeout_ms)));
  config.upload_bytes_per_second = json_number(json, "upload_bytes_per_second").value_or(0);
  config.wait_when_full = json_flag(json, "wait_when_full");
  config.durability = durability_of(json_text(json, "durability").value_or(""));
  if (json.contains("allow_other")) config.allow_other = json_flag(json, "allow_other");
  config.over_files = json_flag(json, "over_files");
  const uint64_t passthrough = json_number(json, "passthrough").value_or(0);
  config.passthrough =
      static_cast<Passthrough>(std::min<uint64_t>(passthrough, static_cast<uint64_t>(Passthrough::kOff)));
  const uint64_t locks = json_number(json, "locks").value_or(0);
  config.locks = static_cast<LockReach>(std::min<uint64_t>(locks, static_cast<uint64_t>(LockReach::kShared)));
  config.workers = static_cast<int>(json_number(json, "workers").value_or(0));
  config.log_file = json_text(json, "log_file").value_or("");
  const uint64_t level = json_number(json, "log_level").value_or(static_cast<uint64_t>(log::Level::kInfo));
  config.log_level = static_cast<log::Level>(std::min<uint64_t>(level, static_cast<uint64_t>(log::Level::kError)));
  if (auto store = json_text(json, "create_store"))
    config.create = VolumeToCreate{*store, json_text(json, "create_name").value_or("")};
  return config;
}

}  // namespace weir
