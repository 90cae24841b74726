#include <CLI/CLI.hpp>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "base/clock.h"
#include "base/limits.h"
#include "cli/command.h"
#include "cli/option_checks.h"
#include "cli/target.h"
#include "daemon/control/client.h"
#include "daemon/json.h"
#include "daemon/volume/process_identity.h"

namespace weir::cli {

namespace {

constexpr int64_t kLookAgainMs = 20;

class Upgrade : public Command {
 public:
  Manual manual() const override {
    return {
        .name = "upgrade",
        .summary = "replace the program of a mounted volume, without unmounting it",
        .arguments = "PATH",
        .description =
            "Makes this program, or the one that --program names, serve the mounted volume that PATH lies in. The "
            "mount "
            "stays: open files, locks and unpublished writes go on, and calls that are made meanwhile wait, for less "
            "than a second as a rule. The command returns when the new program serves.\n\n"
            "If the new program cannot take the mount over, the old one goes on, and the command fails.",
        .examples = {"weir upgrade /data", "weir upgrade /data --program /opt/weir-2/bin/weir"},
        .failures = "The old program goes on; one sentence on stderr says why.",
    };
  }

  void add_options(CLI::App& app) override {
    app.add_option("PATH", path_, "A path in the mounted volume.")->required()->check(not_empty("the path"));
    app.add_option("--program", program_, "The weir that shall serve from now on. Default: the one that runs this.")
        ->type_name("FILE")
        ->check(not_empty("the program"));
  }

  Result<Outcome> run(bool) override {
    ASSIGN_OR_RETURN(std::string program, resolved_program());
    ASSIGN_OR_RETURN(Target target, find_target(path_));
    if (!target.mounted()) return error(Code::kNotFound, "{} is not mounted", path_);
    ASSIGN_OR_RETURN(Json before, ask(target, Json{{"command", "status"}}, {}));
    auto asked = ask_daemon(target.control_path, Json{{"command", "upgrade"}, {"binary", program}}, {});
    // The daemon that was asked may be gone before it has answered, or in the middle of that.
    const bool refused_at_once = !asked && asked.error().what.find(program) != std::string::npos;
    if (!asked && (refused_at_once || asked.error().code == Code::kAccess)) return Failure(asked.error());
    ASSIGN_OR_RETURN(Json after, await_other(json_number(before, "pid").value_or(0)));
    if (json_text(after, "program") != program) return refused(after, program);
    Json json;
    json["mount_point"] = target.mount_point;
    json["program"] = program;
    json["version_before"] = json_text(before, "version").value_or("");
    json["version"] = json_text(after, "version").value_or("");
    json["pid"] = json_number(after, "pid").value_or(0);
    return Outcome{json_document(json),
                   fmt::format("{} is served by {} (version {})\n", target.mount_point, program,
                               json_text(after, "version").value_or("")),
                   0, ""};
  }

 private:
  Result<std::string> resolved_program() const {
    if (program_.empty()) return this_program();
    std::error_code failure;
    std::filesystem::path resolved = std::filesystem::canonical(program_, failure);
    if (failure) return error(Code::kNotFound, "there is no program {}", program_);
    return resolved.string();
  }

  /// What a daemon other than `pid` says of itself.
  Result<Json> await_other(uint64_t pid) const {
    for (int64_t waited_ms = 0; waited_ms < limits::kUpgradeMs; waited_ms += kLookAgainMs) {
      auto target = find_target(path_);
      auto status = target ? ask(*target, Json{{"command", "status"}}, {}) : Result<Json>(Failure(target.error()));
      if (status && json_number(*status, "pid").value_or(0) != pid) return status;
      SystemClock().sleep_ms(kLookAgainMs);
    }
    return error(Code::kTimeout, "no new daemon serves {} after {} s; look into its log", path_,
                 limits::kUpgradeMs / 1000);
  }

  static Result<Outcome> refused(const Json& after, const std::string& program) {
    if (auto reports = after.find("reports"); reports != after.end())
      for (const Json& report : *reports)
        if (report.is_string() && report.get<std::string>().find(program) != std::string::npos)
          return error(Code::kUnavailable, "{}", report.get<std::string>());
    return error(Code::kUnavailable, "{} did not take the mount over; look into the daemon's log", program);
  }

  std::string path_;
  std::string program_;
};

}  // namespace

std::unique_ptr<Command> make_upgrade() { return std::make_unique<Upgrade>(); }

}  // namespace weir::cli
