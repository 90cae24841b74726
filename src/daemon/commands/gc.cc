#include <nlohmann/json.hpp>

#include "daemon/commands/commands.h"
#include "daemon/daemon.h"
#include "meta/collect.h"
#include "vfs/admin.h"

namespace weir {

namespace {

Json describe(const meta::CollectReport& report) {
  Json json;
  json["queue_entries"] = report.queue_entries;
  json["references_erased"] = report.references_erased;
  json["chunks_condemned"] = report.chunks_condemned;
  json["chunks_revived"] = report.chunks_revived;
  json["objects_deleted"] = report.objects_deleted;
  json["bytes_deleted"] = report.bytes_deleted;
  json["waiting"] = report.waiting;
  return json;
}

meta::KeepGoing watcher_of(const ReportProgress& progress) {
  return [&progress](const meta::CollectReport& report) { return progress(describe(report)); };
}

Result<Json> described(const Result<meta::CollectReport>& report) {
  TRY(report);
  return describe(*report);
}

}  // namespace

Result<Json> run_gc(Daemon& daemon, const Json& request, const ReportProgress& progress) {
  return described(vfs::collect(daemon.filesystem(), json_flag(request, "now"), watcher_of(progress)));
}

Result<Json> run_unmounted_gc(OpenedVolume& opened, const Json& request, const ReportProgress& progress) {
  return described(meta::collect(
      *opened.volume, json_flag(request, "now"),
      [&](std::span<const std::string> names) { return opened.store->remove_all(names); }, watcher_of(progress)));
}

}  // namespace weir
