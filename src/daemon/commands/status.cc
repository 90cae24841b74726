#include <unistd.h>

#include <nlohmann/json.hpp>

#include "daemon/commands/commands.h"
#include "daemon/daemon.h"
#include "daemon/version.h"
#include "daemon/volume/process_identity.h"
#include "kv/postgres/postgres_engine.h"
#include "vfs/admin.h"

namespace weir {

namespace {

Json describe_volume(const VolumeSettings& settings) {
  Json json;
  json["name"] = settings.name;
  json["id"] = settings.volume_id;
  json["incarnation"] = settings.incarnation;
  json["format"] = std::max(settings.oldest_reader, settings.oldest_writer);
  json["created_s"] = settings.created_ns / 1'000'000'000;
  json["grace_s"] = settings.grace_ms / 1000;
  json["durability"] = durability_name(settings.durability);
  return json;
}

Json describe_cache(const std::string& directory, const cache::Usage& usage) {
  Json json;
  json["directory"] = directory;
  json["image_bytes"] = usage.image_bytes;
  json["small_bytes"] = usage.small_bytes;
  json["staging_bytes"] = usage.staging_bytes;
  json["unstored_bytes"] = usage.unstored_bytes;
  json["images"] = usage.images;
  json["images_complete"] = usage.images_complete;
  json["small_contents"] = usage.small_contents;
  json["evicted_bytes"] = usage.evicted_bytes;
  json["size_bytes_max"] = usage.size_bytes_max;
  json["disk_free_bytes"] = usage.disk_free_bytes;
  json["reserve_bytes"] = usage.reserve_bytes;
  return json;
}

Json describe_upload(const vfs::UploadStatus& upload) {
  Json json;
  json["backlog_bytes"] = upload.backlog_bytes;
  json["backlog_contents"] = upload.backlog_contents;
  json["oldest_age_ms"] = upload.oldest_age_ms;
  json["uploaded_bytes"] = upload.uploaded_bytes;
  json["uploaded_chunks"] = upload.uploaded_chunks;
  json["bytes_per_second"] = upload.bytes_per_second;
  json["found_bytes"] = upload.found_bytes;
  json["deduplicated_bytes"] = upload.deduplicated_bytes;
  json["errors"] = upload.errors;
  json["last_error"] = upload.last_error;
  return json;
}

Json describe_reads(const vfs::ReadStatus& reads) {
  Json json;
  json["cache_bytes"] = reads.cache_bytes;
  json["store_bytes"] = reads.store_bytes;
  json["peer_bytes"] = reads.peer_bytes;
  json["fills_running"] = reads.fills_running;
  json["corrupt_chunks"] = reads.corrupt_chunks;
  return json;
}

Json describe_object_store(const object::RetryingStore& store) {
  const object::RetryingStore::Health health = store.health();
  const object::RetryingStore::Rates rates = store.rates();
  Json json;
  json["refused"] = health.refused;
  json["failed"] = health.failed;
  json["failing_s"] = (health.failing_ms + 999) / 1000;
  json["last_failure"] = health.last_failure;
  json["reads_per_second_max"] = rates.reads;
  json["writes_per_second_max"] = rates.writes;
  return json;
}

Json describe_member(NodeId id, const NodeInfo& info, bool alive) {
  Json json;
  json["node"] = id.value;
  json["host"] = info.host;
  json["zone"] = info.zone;
  json["address"] = info.address;
  json["mount_point"] = info.mount_point;
  json["cache_directory"] = info.cache_directory;
  json["epoch"] = info.epoch;
  json["state"] = alive ? "alive" : info.fenced ? "dead" : "left";
  return json;
}

Json describe_peering(const Peering& peering) {
  const cluster::PeerClient::Counters& asked = peering.client().counters();
  const cluster::PeerServer::Counters& answered = peering.server().counters();
  Json json;
  json["received_chunks"] = asked.chunks.load();
  json["received_bytes"] = asked.bytes.load();
  json["wrong_sums"] = asked.wrong_sums.load();
  json["failures"] = asked.failures.load();
  json["sent_chunks"] = answered.chunks.load();
  json["sent_bytes"] = answered.bytes.load();
  json["refused"] = answered.refused.load();
  return json;
}

Json describe_kernel(fuse::Channel& channel) {
  Json json;
  json["protocol"] = fmt::format("7.{}", channel.negotiated().minor);
  json["kernel_protocol"] = fmt::format("7.{}", channel.negotiated().kernel_minor);
  json["unanswered"] = channel.unanswered();
  json["passthrough"] = channel.backing_files() != nullptr;
  Json requests = Json::object();
  for (uint32_t opcode = 1; opcode <= fuse::kOpLast; ++opcode)
    if (uint64_t count = channel.statistics(opcode).requests) requests[fuse::opcode_name(opcode)] = count;
  json["requests"] = requests;
  return json;
}

}  // namespace

Result<Json> run_status(Daemon& daemon) {
  vfs::FilesystemStatus status = vfs::status(daemon.filesystem());
  OpenedVolume& opened = daemon.opened();
  Json json;
  json["mounted"] = true;
  json["volume"] = describe_volume(opened.volume->settings());
  json["metadata"] = daemon.config().metadata.display;
  json["metadata_away_s"] = (kv::server_away_ms(*opened.engine) + 999) / 1000;
  json["store"] = opened.volume->settings().store_url;
  json["mount_point"] = daemon.mount_point();
  json["durability"] = durability_name(daemon.config().durability.value_or(opened.volume->settings().durability));
  json["locks"] = daemon.filesystem().shares_locks() ? "shared" : "local";
  json["pid"] = ::getpid();
  json["supervisor"] = daemon.link().supervisor();
  json["version"] = kWeirVersion;
  json["program"] = this_program();
  json["uptime_s"] = (opened.clock.realtime_ns() - daemon.started_ns()) / 1'000'000'000;
  const NodeInfo node = opened.lease->info();
  json["node"] = {{"id", opened.node.value}, {"host", node.host},   {"zone", node.zone},
                  {"address", node.address}, {"epoch", node.epoch}, {"times_found_dead", opened.rejoins.load()}};
  if (daemon.members() != nullptr)
    for (const cluster::Member& member : daemon.members()->all())
      json["members"].push_back(describe_member(member.id, member.info, member.alive));
  if (daemon.peering() != nullptr) json["peers"] = describe_peering(*daemon.peering());
  json["cache"] = describe_cache(opened.cache_directory, status.cache);
  json["upload"] = describe_upload(status.upload);
  json["object_store"] = describe_object_store(*opened.store);
  json["reads"] = describe_reads(status.reads);
  json["open_files"] = status.open_files;
  json["open_handles"] = status.open_handles;
  json["unpublished_files"] = status.unpublished_files;
  json["kernel"] = describe_kernel(daemon.channel());
  json["reports"] = daemon.reports();
  for (const std::string& report : status.reports) json["reports"].push_back(report);
  return json;
}

Result<Json> run_unmounted_status(const MetadataUrl& metadata) {
  ASSIGN_OR_RETURN(std::unique_ptr<kv::Engine> engine, kv::open_engine(metadata.url, false));
  ASSIGN_OR_RETURN(VolumeSettings settings, read_settings(*engine, metadata));
  ASSIGN_OR_RETURN(std::vector<KnownNode> nodes, all_nodes(*engine));
  Json json;
  json["mounted"] = false;
  json["volume"] = describe_volume(settings);
  json["metadata"] = metadata.display;
  json["store"] = settings.store_url;
  const bool shared = engine->capabilities().shared;
  for (const auto& [id, info] : nodes) {
    if (shared) json["members"].push_back(describe_member(id, info, info.active));
    if (!shared || info.host == this_host())
      json["last"] = {
          {"host", info.host}, {"mount_point", info.mount_point}, {"cache_directory", info.cache_directory}};
  }
  return json;
}

}  // namespace weir
