#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "cli/table.h"
#include "cli/tree_command.h"

namespace weir::cli {

namespace {

class Evict : public TreeCommand {
 public:
  Manual manual() const override {
    return {
        .name = "evict",
        .summary = "drop files from this machine's cache",
        .arguments = "PATH...",
        .description =
            "Drops the local copies of everything below each PATH. The files stay, and are fetched from the object "
            "store when "
            "they are read again. What is in use, or not in the object store yet, is kept: 'weir sync' stores it.",
        .examples = {"weir evict /data/models/old", "weir sync /data/f && weir evict /data/f"},
        .failures = "A file was kept, because it is in use or not stored yet; one sentence on stderr says so.",
    };
  }

  void add_options(CLI::App& app) override { add_paths(app, "Files or directories in a mounted volume."); }

 protected:
  std::string label() const override { return "evicting"; }
  void fill_request(Json& request) const override { request["command"] = "evict"; }
  std::string describe_done(uint64_t, const std::string& bytes) const override {
    return fmt::format("{} freed", bytes);
  }
  std::string describe_failed() const override { return "stayed in the cache, being in use or not stored yet"; }
};

}  // namespace

std::unique_ptr<Command> make_evict() { return std::make_unique<Evict>(); }

}  // namespace weir::cli
