#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "base/size_text.h"
#include "cli/command.h"
#include "cli/option_checks.h"
#include "cli/progress_bar.h"
#include "cli/table.h"
#include "cli/target.h"
#include "daemon/json.h"

namespace weir::cli {

namespace {

class Gc : public Command {
 public:
  Manual manual() const override {
    return {
        .name = "gc",
        .summary = "delete content that nothing refers to any more",
        .arguments = "PATH|URL",
        .description =
            "Runs the collector once: content of deleted and replaced files whose grace is over is taken out of the "
            "metadata, and "
            "its objects out of the store. A mounted volume does this by itself now and then; the command does it at "
            "once and "
            "says what was done. Nothing that any file needs is ever deleted.",
        .examples = {"weir gc /data", "weir gc /data --now   # what was deleted a moment ago as well"},
    };
  }

  void add_options(CLI::App& app) override {
    app.add_option("PATH|URL", target_, "A path in a mounted volume, or the metadata URL of any volume.")
        ->required()
        ->check(not_empty("the path"));
    app.add_flag("--now", now_,
                 "Do not wait for the grace: what was deleted is gone for good, for readers that still have an old "
                 "version open elsewhere too.");
  }

  Result<Outcome> run(bool quiet) override {
    ASSIGN_OR_RETURN(Target target, find_target(target_));
    ProgressBar bar("collecting", quiet);
    auto report = ask(target, Json{{"command", "gc"}, {"now", now_}}, [&](const Json& progress) {
      bar.show(0, 0, summary(progress));
      return true;
    });
    TRY(report);
    std::string text = summary(*report) + "\n";
    if (uint64_t waiting = json_number(*report, "waiting").value_or(0); waiting > 0)
      text += fmt::format("{} {} for the end of the grace\n", counted(waiting, "deletion"),
                          waiting == 1 ? "waits" : "wait");
    return Outcome{json_document(*report), text, 0, ""};
  }

 private:
  static std::string summary(const Json& report) {
    return fmt::format("deleted {} ({}), erased {}",
                       counted(json_number(report, "objects_deleted").value_or(0), "object"),
                       format_bytes(json_number(report, "bytes_deleted").value_or(0)),
                       counted(json_number(report, "references_erased").value_or(0), "reference"));
  }

  std::string target_;
  bool now_ = false;
};

}  // namespace

std::unique_ptr<Command> make_gc() { return std::make_unique<Gc>(); }

}  // namespace weir::cli
