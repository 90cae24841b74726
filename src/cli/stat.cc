#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "base/size_text.h"
#include "cli/command.h"
#include "cli/option_checks.h"
#include "cli/table.h"
#include "cli/target.h"
#include "daemon/json.h"

namespace weir::cli {

namespace {

std::string cached_text(const Json& stat) {
  uint64_t cached = json_number(stat, "chunks_cached").value_or(0);
  uint64_t data = json_number(stat, "chunks").value_or(0) - json_number(stat, "holes").value_or(0);
  if (json_text(stat, "form") == "inline") return "in the metadata";
  if (json_flag(stat, "complete")) return "complete";
  return fmt::format("{} of {} chunks", cached, data);
}

std::string chunks_text(const Json& stat) {
  return fmt::format("{}, {} of them holes, {} stored", json_number(stat, "chunks").value_or(0),
                     json_number(stat, "holes").value_or(0), json_number(stat, "chunks_stored").value_or(0));
}

std::string describe(const Json& stat) {
  Table table;
  table.row("path", json_text(stat, "path").value_or(""));
  table.row("inode",
            fmt::format("{} ({})", json_number(stat, "inode").value_or(0), json_text(stat, "type").value_or("")));
  if (json_text(stat, "type") != "file") return table.text();
  uint64_t size = json_number(stat, "size").value_or(0);
  table.row("size", fmt::format("{} bytes ({}), {}", size, format_bytes(size), json_text(stat, "form").value_or("")));
  table.row("manifest", json_text(stat, "manifest").value_or("none"));
  table.row("chunks", chunks_text(stat));
  table.row("state", json_text(stat, "state").value_or("") +
                         (json_flag(stat, "unpublished") ? ", with unpublished writes" : ""));
  table.row("cached here", cached_text(stat));
  table.row("open", counted(json_number(stat, "open_handles").value_or(0), "handle"));
  return table.text();
}

class Stat : public Command {
 public:
  Manual manual() const override {
    return {
        .name = "stat",
        .summary = "show how a file is stored and cached",
        .arguments = "FILE...",
        .description =
            "Shows, for each FILE in a mounted volume, the identity of its content (the manifest id), its chunks, its "
            "state, and "
            "how much of it is in this machine's cache. States are local (on this machine), zone (on a second machine) "
            "and "
            "stored (in the object store). Writes that are not published yet are not counted in.\n\n"
            "With --json the document is a list with one object a file.",
        .examples = {"weir stat /data/model.safetensors",
                     "weir stat --json /data/*.bin | jq '.[] | select(.state != \"stored\") | .path'"},
        .failures = "A file could not be looked at; one sentence on stderr says why, and the others are shown.",
    };
  }

  void add_options(CLI::App& app) override {
    app.add_option("FILE", files_, "Files in a mounted volume.")->required()->check(not_empty("the path"));
  }

  Result<Outcome> run(bool) override {
    Json all = Json::array();
    std::string text;
    std::vector<Error> missed;
    for (const std::string& file : files_) {
      auto stat = look_at(file);
      if (!stat) {
        missed.push_back(stat.error());
        continue;
      }
      text += (text.empty() ? "" : "\n") + describe(*stat);
      all.push_back(std::move(*stat));
    }
    if (missed.size() == files_.size()) return error(missed[0].code, "{}", missed[0].what);
    Outcome outcome{json_document(all), text, 0, ""};
    if (!missed.empty()) {
      outcome.exit_code = 1;
      outcome.complaint = missed[0].what;
    }
    return outcome;
  }

 private:
  static Result<Json> look_at(const std::string& file) {
    ASSIGN_OR_RETURN(LivePath path, find_live_path(file));
    ASSIGN_OR_RETURN(Json answer, ask(path.target, Json{{"command", "stat"}, {"inode", path.inode}}, {}));
    Json stat;
    stat["path"] = file;
    stat.update(answer);
    return stat;
  }

  std::vector<std::string> files_;
};

}  // namespace

std::unique_ptr<Command> make_stat() { return std::make_unique<Stat>(); }

}  // namespace weir::cli
