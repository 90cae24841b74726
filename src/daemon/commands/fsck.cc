#include <sys/stat.h>

#include <nlohmann/json.hpp>

#include "base/limits.h"
#include "base/log.h"
#include "cache/cache.h"
#include "daemon/check/check_volume.h"
#include "daemon/commands/commands.h"
#include "daemon/daemon.h"
#include "daemon/volume/process_identity.h"

namespace weir {

namespace {

Json describe(const CheckResult& result, const CheckRequest& request) {
  Json json;
  json["clean"] = result.problem_count == 0;
  json["live"] = request.live;
  json["deep"] = request.deep;
  json["inodes"] = result.counts.inodes;
  json["directories"] = result.counts.directories;
  json["entries"] = result.counts.entries;
  json["chunks"] = result.counts.chunks;
  json["stored_chunks"] = result.counts.stored_chunks;
  json["unstored_chunks"] = result.unstored_chunks;
  json["unstored_elsewhere"] = result.unstored_elsewhere;
  json["content_bytes"] = result.counts.content_bytes;
  json["objects"] = result.objects;
  json["object_bytes"] = result.object_bytes;
  json["verified_objects"] = result.verified_objects;
  json["problem_count"] = result.problem_count;
  json["repaired_count"] = result.repaired_count;
  json["problems"] = Json::array();
  for (const meta::Problem& problem : result.problems)
    json["problems"].push_back({{"kind", problem.kind},
                                {"what", problem.what},
                                {"repairable", problem.repairable},
                                {"repaired", problem.repaired}});
  return json;
}

CheckWatcher watcher_of(const ReportProgress& report, Clock& clock) {
  return [&report, &clock, next_ms = int64_t{0}](const CheckProgress& progress) mutable {
    int64_t now_ms = clock.monotonic_ns() / 1'000'000;
    if (now_ms < next_ms) return true;
    next_ms = now_ms + limits::kProgressIntervalMs;
    return report(Json{{"phase", progress.phase}, {"done", progress.done}, {"total", progress.total}});
  };
}

CheckRequest request_of(const Json& request, bool live) {
  return {.deep = json_flag(request, "deep"), .repair = json_flag(request, "repair"), .live = live};
}

/// The cache that this machine used last; none if there is none, or it was another machine's.
Result<std::unique_ptr<cache::Cache>> open_cache(OpenedVolume& opened) {
  struct stat attributes {};
  bool elsewhere = opened.previous && opened.previous->host != this_host();
  if (elsewhere || ::stat(opened.cache_directory.c_str(), &attributes) != 0) return std::unique_ptr<cache::Cache>();
  cache::Options options;
  options.directory = opened.cache_directory;
  options.volume_id = opened.volume->settings().volume_id;
  auto ignore = [](const ManifestId&, const std::vector<ChunkId>&) {};  // the check finds what is lost by itself
  return cache::Cache::open(options, opened.clock, ignore);
}

}  // namespace

Result<Json> run_fsck(Daemon& daemon, const Json& request, const ReportProgress& progress) {
  CheckRequest wanted = request_of(request, true);
  OpenedVolume& opened = daemon.opened();
  ASSIGN_OR_RETURN(CheckResult result, check_volume(*opened.volume, *opened.store, &daemon.cache(), wanted,
                                                    watcher_of(progress, opened.clock)));
  return describe(result, wanted);
}

Result<Json> run_unmounted_fsck(OpenedVolume& opened, const Json& request, const ReportProgress& progress) {
  CheckRequest wanted = request_of(request, false);
  ASSIGN_OR_RETURN(std::unique_ptr<cache::Cache> cache, open_cache(opened));
  ASSIGN_OR_RETURN(CheckResult result, check_volume(*opened.volume, *opened.store, cache.get(), wanted,
                                                    watcher_of(progress, opened.clock)));
  Json json = describe(result, wanted);
  json["cache"] = cache ? Json(opened.cache_directory) : Json(nullptr);
  return json;
}

}  // namespace weir
