#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "base/size_text.h"
#include "cli/command.h"
#include "cli/option_checks.h"
#include "cli/table.h"
#include "cli/target.h"
#include "daemon/json.h"
#include "daemon/metrics/status_metrics.h"

namespace weir::cli {

namespace {

uint64_t number(const Json& json, const char* group, const char* key) {
  auto found = json.find(group);
  return found == json.end() ? 0 : json_number(*found, key).value_or(0);
}

std::string text(const Json& json, const char* group, const char* key) {
  auto found = json.find(group);
  return found == json.end() ? "" : json_text(*found, key).value_or("");
}

std::string cache_line(const Json& status) {
  uint64_t used = number(status, "cache", "image_bytes") + number(status, "cache", "small_bytes");
  uint64_t most = number(status, "cache", "size_bytes_max");
  std::string line = fmt::format("{} in {}", format_bytes(used), counted(number(status, "cache", "images"), "image"));
  if (most > 0) line += fmt::format(" of {}", format_bytes(most));
  line += fmt::format(", {} staged, disk has {} free", format_bytes(number(status, "cache", "staging_bytes")),
                      format_bytes(number(status, "cache", "disk_free_bytes")));
  return line;
}

std::string upload_line(const Json& status) {
  uint64_t backlog = number(status, "upload", "backlog_bytes");
  if (backlog == 0) return "all is stored";
  return fmt::format("{} of {} to go at {}/s, the oldest for {}", format_bytes(backlog),
                     counted(number(status, "upload", "backlog_contents"), "content"),
                     format_bytes(number(status, "upload", "bytes_per_second")),
                     duration_text(number(status, "upload", "oldest_age_ms") / 1000));
}

/// Empty: it takes what it is asked.
std::string object_store_line(const Json& status) {
  if (const uint64_t seconds = number(status, "object_store", "failing_s"); seconds > 0)
    return fmt::format("the store fails for {}: {}", duration_text(seconds),
                       text(status, "object_store", "last_failure"));
  const auto store = status.find("object_store");
  if (store == status.end()) return "";
  const double reads = store->value("reads_per_second_max", 0.0);
  const double writes = store->value("writes_per_second_max", 0.0);
  if (reads == 0 && writes == 0) return "";
  return fmt::format("the store asks for fewer requests: {} reads/s, {} writes/s",
                     reads > 0 ? fmt::format("{:.1f}", reads) : "all",
                     writes > 0 ? fmt::format("{:.1f}", writes) : "all");
}

std::string reads_line(const Json& status) {
  uint64_t cache = number(status, "reads", "cache_bytes");
  uint64_t store = number(status, "reads", "store_bytes");
  uint64_t peers = number(status, "reads", "peer_bytes");
  std::string line = fmt::format("{} from the cache, {} from the store", format_bytes(cache), format_bytes(store));
  if (peers > 0) line += fmt::format(", {} from other nodes", format_bytes(peers));
  if (const uint64_t all = cache + store + peers; all > 0)
    line += fmt::format(" (hit ratio {:.1f} %)", 100.0 * static_cast<double>(cache) / static_cast<double>(all));
  return line;
}

/// The nodes of a volume that has several.
void add_members(Table& table, const Json& status) {
  auto members = status.find("members");
  if (members == status.end()) return;
  std::string_view title = "nodes";
  for (const Json& member : *members) {
    const std::string zone = json_text(member, "zone").value_or("");
    std::string place = json_text(member, "host").value_or("");
    if (!zone.empty()) place += " in " + zone;
    if (std::string at = json_text(member, "mount_point").value_or(""); !at.empty()) place += ", mounted at " + at;
    if (std::string address = json_text(member, "address").value_or(""); !address.empty()) place += " at " + address;
    table.row(std::string(std::exchange(title, "")), fmt::format("{} {}, {}", json_number(member, "node").value_or(0),
                                                                 json_text(member, "state").value_or(""), place));
  }
}

std::string describe_mounted(const Json& status) {
  Table table;
  table.row("volume", fmt::format("{} ({})", text(status, "volume", "name"), text(status, "volume", "id")));
  table.row("mounted at", fmt::format("{} by process {} for {}", json_text(status, "mount_point").value_or(""),
                                      json_number(status, "pid").value_or(0),
                                      duration_text(json_number(status, "uptime_s").value_or(0))));
  table.row("metadata", json_text(status, "metadata").value_or(""));
  if (const uint64_t seconds = json_number(status, "metadata_away_s").value_or(0); seconds > 0)
    table.row("",
              fmt::format("out of reach for {}: who needs it waits; open files are served", duration_text(seconds)));
  table.row("store", json_text(status, "store").value_or(""));
  table.row("cache", text(status, "cache", "directory"));
  table.row("", cache_line(status));
  table.row("uploads", upload_line(status));
  if (std::string last = text(status, "upload", "last_error");
      !last.empty() && number(status, "upload", "backlog_bytes") > 0)
    table.row("", "last error: " + last);
  if (std::string line = object_store_line(status); !line.empty()) table.row("", line);
  table.row("reads", reads_line(status));
  table.row("locks", json_text(status, "locks").value_or("") == "shared" ? "between all nodes" : "of this machine");
  add_members(table, status);
  table.row("open", fmt::format("{}, {} with unpublished writes",
                                counted(json_number(status, "open_files").value_or(0), "file"),
                                json_number(status, "unpublished_files").value_or(0)));
  if (auto reports = status.find("reports"); reports != status.end())
    for (const Json& report : *reports) table.row("report", report.is_string() ? report.get<std::string>() : "");
  return table.text();
}

std::string describe_unmounted(const Json& status) {
  Table table;
  table.row("volume", fmt::format("{} ({})", text(status, "volume", "name"), text(status, "volume", "id")));
  table.row("mounted", "not on this machine");
  table.row("metadata", json_text(status, "metadata").value_or(""));
  table.row("store", json_text(status, "store").value_or(""));
  if (std::string cache = text(status, "last", "cache_directory"); !cache.empty())
    table.row("last cache", fmt::format("{} on {}", cache, text(status, "last", "host")));
  add_members(table, status);
  return table.text();
}

class StatusCommand : public Command {
 public:
  Manual manual() const override {
    return {
        .name = "status",
        .summary = "show a volume: cache, uploads, reads, open files",
        .arguments = "PATH|URL",
        .description =
            "Shows the volume that PATH lies in or whose metadata is at URL: where it is mounted, what its cache "
            "holds, what is "
            "not in the object store yet, where reads were served from, and what the daemon has to report, such as "
            "content "
            "lost to a power failure. With --metrics it prints the figures as Prometheus reads them. Of a volume that "
            "is not mounted it shows what its metadata says.",
        .examples = {"weir status /data", "weir status /data --json | jq .upload.backlog_bytes",
                     "weir status /data --metrics", "weir status rocksdb:///srv/weir/meta"},
    };
  }

  void add_options(CLI::App& app) override {
    app.add_option("PATH|URL", target_, "A path in a mounted volume, or a metadata URL.")
        ->required()
        ->check(not_empty("the path"));
    app.add_flag("--metrics", metrics_, "Print the figures of a mounted volume in Prometheus' text format.");
  }

  Result<Outcome> run(bool) override {
    ASSIGN_OR_RETURN(Target target, find_target(target_));
    ASSIGN_OR_RETURN(Json status, ask(target, Json{{"command", "status"}}, {}));
    if (metrics_ && !json_flag(status, "mounted"))
      return error(Code::kUnavailable, "{} is not mounted, and has figures only then", target_);
    if (metrics_) return Outcome{json_document(status), status_metrics(status), 0, ""};
    return Outcome{json_document(status),
                   json_flag(status, "mounted") ? describe_mounted(status) : describe_unmounted(status), 0, ""};
  }

 private:
  std::string target_;
  bool metrics_ = false;
};

}  // namespace

std::unique_ptr<Command> make_status() { return std::make_unique<StatusCommand>(); }

}  // namespace weir::cli
