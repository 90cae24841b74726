#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "cli/command.h"
#include "cli/table.h"
#include "cli/target.h"
#include "daemon/doctor/machine.h"
#include "daemon/doctor/places.h"
#include "daemon/json.h"
#include "daemon/mount/state_paths.h"
#include "daemon/volume/open_volume.h"

namespace weir::cli {

namespace {

void append(Findings& all, const Findings& some) { all.insert(all.end(), some.begin(), some.end()); }

Finding from_status(const Json& status, bool mounted) {
  std::string name = json_text(status["volume"], "name").value_or("");
  return {Finding::Level::kOk, "metadata",
          mounted ? fmt::format("the daemon of volume {} answers at {}", name,
                                json_text(status, "mount_point").value_or(""))
                  : fmt::format("the metadata of volume {} can be opened", name)};
}

Findings reports_of(const Json& status) {
  Findings findings;
  if (auto reports = status.find("reports"); reports != status.end())
    for (const Json& report : *reports)
      if (report.is_string()) findings.push_back({Finding::Level::kWarning, "report", report.get<std::string>()});
  return findings;
}

/// The marker of the volume's store, from what its status says.
std::string marker_of(const Json& status) {
  VolumeSettings settings;
  settings.volume_id = json_text(status["volume"], "id").value_or("");
  settings.incarnation = json_text(status["volume"], "incarnation").value_or("");
  return store_marker(settings);
}

std::string cache_of(const Json& status) {
  for (const char* group : {"cache", "last"})
    if (auto found = status.find(group); found != status.end())
      for (const char* key : {"directory", "cache_directory"})
        if (auto directory = json_text(*found, key); directory && !directory->empty()) return *directory;
  return state_home();
}

class Doctor : public Command {
 public:
  Manual manual() const override {
    return {
        .name = "doctor",
        .summary = "find out what keeps Weir from working well here",
        .arguments = "[PATH|URL]",
        .description =
            "Looks at the kernel, /dev/fuse, the right to mount, limits, the clock and mounts of this machine, and, "
            "for the "
            "volume that PATH lies in or whose metadata is at URL, at its metadata, its object store (a small object "
            "is put, "
            "read and removed) and the disk of its cache (16 MiB are written). Each line says ok, info, warn or fail, "
            "and what to do.",
        .examples = {"weir doctor", "weir doctor /data", "weir doctor --json | jq '.[] | select(.level == \"fail\")'"},
        .failures = "A check failed.",
    };
  }

  void add_options(CLI::App& app) override {
    app.add_option("PATH|URL", target_, "A path in a mounted volume, or a metadata URL.");
  }

  Result<Outcome> run(bool) override {
    Findings findings;
    for (auto check : {check_kernel, check_fuse_access, check_limits, check_clock, check_mounts})
      append(findings, check());
    append(findings, target_.empty() ? check_cache_disk(state_home()) : check_volume_places());
    return outcome(findings);
  }

 private:
  Findings check_volume_places() const {
    auto target = find_target(target_);
    if (!target) return {{Finding::Level::kFailure, "metadata", target.error().what}};
    auto status = ask(*target, Json{{"command", "status"}}, {});
    if (!status) return {{Finding::Level::kFailure, "metadata", status.error().what}};
    Findings findings{from_status(*status, target->mounted())};
    append(findings, check_store(json_text(*status, "store").value_or(""), marker_of(*status)));
    append(findings, check_cache_disk(cache_of(*status)));
    append(findings, reports_of(*status));
    return findings;
  }

  static Outcome outcome(const Findings& findings) {
    Json json = Json::array();
    std::string text;
    uint64_t failed = 0;
    for (const Finding& finding : findings) {
      json.push_back({{"level", level_name(finding.level)}, {"name", finding.name}, {"what", finding.what}});
      text += fmt::format("{:<4}  {:<17} {}\n", level_name(finding.level), finding.name, finding.what);
      if (finding.level == Finding::Level::kFailure) ++failed;
    }
    Outcome outcome{json_document(json), text, 0, ""};
    if (failed > 0) {
      outcome.exit_code = 1;
      outcome.complaint = fmt::format("{} failed", counted(failed, "check"));
    }
    return outcome;
  }

  std::string target_;
};

}  // namespace

std::unique_ptr<Command> make_doctor() { return std::make_unique<Doctor>(); }

}  // namespace weir::cli
