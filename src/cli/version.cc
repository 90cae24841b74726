#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "cli/command.h"
#include "daemon/json.h"
#include "daemon/version.h"
#include "model/records.h"

namespace weir::cli {

namespace {

class Version : public Command {
 public:
  Manual manual() const override {
    return {
        .name = "version",
        .summary = "show the version of this program",
        .arguments = "",
        .description = "Shows the version of this program and the highest volume format that it can work with.",
        .examples = {"weir version --json"},
    };
  }

  void add_options(CLI::App&) override {}

  Result<Outcome> run(bool) override {
    Json json;
    json["version"] = kWeirVersion;
    json["volume_format"] = kVolumeFormat;
    return Outcome{json_document(json), fmt::format("weir {}, volume format {}\n", kWeirVersion, kVolumeFormat), 0, ""};
  }
};

}  // namespace

std::unique_ptr<Command> make_version() { return std::make_unique<Version>(); }

}  // namespace weir::cli
