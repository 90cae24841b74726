#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "cli/option_checks.h"
#include "cli/table.h"
#include "cli/tree_command.h"

namespace weir::cli {

namespace {

class Sync : public TreeCommand {
 public:
  Manual manual() const override {
    return {
        .name = "sync",
        .summary = "wait until files are safe",
        .arguments = "PATH...",
        .description =
            "Returns when everything below each PATH, writes to open files included, is as safe as asked for: local "
            "(survives a "
            "power failure of this machine), zone (on a second machine as well) or stored (in the object store). "
            "Uploads of "
            "these files go first. On a volume of one machine, zone means stored.",
        .examples = {"weir sync /data/checkpoints", "weir sync /data/run.log --to local"},
        .failures = "A file could not be made that safe; one sentence on stderr says why.",
    };
  }

  void add_options(CLI::App& app) override {
    add_paths(app, "Files or directories in a mounted volume.");
    app.add_option("--to", state_, "local, zone or stored. Default: stored.")
        ->type_name("STATE")
        ->check(one_of({"local", "zone", "stored"}));
  }

 protected:
  std::string label() const override { return "syncing"; }
  void fill_request(Json& request) const override {
    request["command"] = "sync";
    request["to"] = state_;
  }
  std::string describe_done(uint64_t files, const std::string& bytes) const override {
    return fmt::format("{} ({}) {} {}", counted(files, "file"), bytes, files == 1 ? "is" : "are",
                       state_ == "local" ? "safe on this machine" : state_);
  }
  std::string describe_failed() const override { return "could not be synced"; }

 private:
  std::string state_ = "stored";
};

}  // namespace

std::unique_ptr<Command> make_sync() { return std::make_unique<Sync>(); }

}  // namespace weir::cli
