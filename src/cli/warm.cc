#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "cli/table.h"
#include "cli/tree_command.h"

namespace weir::cli {

namespace {

class Warm : public TreeCommand {
 public:
  Manual manual() const override {
    return {
        .name = "warm",
        .summary = "bring files into this machine's cache",
        .arguments = "PATH...",
        .description =
            "Fetches the content of everything below each PATH from the object store into the cache, many chunks at a "
            "time, "
            "and returns when it is there. What is there already costs nothing. Files that fail do not stop the rest.",
        .examples = {"weir warm /data/models/llama"},
        .failures = "A file could not be fetched; one sentence on stderr says why.",
    };
  }

  void add_options(CLI::App& app) override { add_paths(app, "Files or directories in a mounted volume."); }

 protected:
  std::string label() const override { return "warming"; }
  void fill_request(Json& request) const override { request["command"] = "warm"; }
  std::string describe_done(uint64_t files, const std::string& bytes) const override {
    return fmt::format("{} ({}) {} in the cache", counted(files, "file"), bytes, files == 1 ? "is" : "are");
  }
  std::string describe_failed() const override { return "could not be fetched"; }
};

}  // namespace

std::unique_ptr<Command> make_warm() { return std::make_unique<Warm>(); }

}  // namespace weir::cli
