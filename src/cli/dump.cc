#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "base/size_text.h"
#include "cli/command.h"
#include "cli/option_checks.h"
#include "cli/progress_bar.h"
#include "cli/table.h"
#include "daemon/json.h"
#include "daemon/volume/move_volume.h"

namespace weir::cli {

namespace {

class Dump : public Command {
 public:
  Manual manual() const override {
    return {
        .name = "dump",
        .summary = "write a volume's metadata into a file",
        .arguments = "META_URL FILE",
        .description =
            "Writes all names, attributes and references of a volume into FILE, which must not exist, for weir load: "
            "to move a volume to another metadata engine, or to keep a copy. Contents are not part of it; they stay "
            "in the object store. The volume must not be mounted anywhere. FILE says what the volume's secret keys "
            "are, and only its owner can read it.\n\n"
            "What was not uploaded yet is in the caches of the machines that wrote it, and comes with the volume when "
            "they mount it again with the same cache. The command says how many chunks that are. To have none, run "
            "weir sync PATH --to stored before the volume is unmounted.",
        .examples = {"weir dump /srv/weir/meta /backup/weir.dump",
                     "weir dump postgres://weir@db/weir /backup/weir.dump"},
    };
  }

  void add_options(CLI::App& app) override {
    app.add_option("META_URL", metadata_, "Where the metadata is.")->required()->check(metadata_url());
    app.add_option("FILE", path_, "The new file.")->required()->check(not_empty("the file's name"));
  }

  Result<Outcome> run(bool quiet) override {
    ASSIGN_OR_RETURN(const MetadataUrl metadata, parse_metadata_url(metadata_));
    ProgressBar bar("dumping", quiet);
    ASSIGN_OR_RETURN(const Dumped dumped, dump_volume(metadata, path_, [&](const meta::DumpProgress& progress) {
                       bar.show(0, 0,
                                fmt::format("{}, {}", counted(progress.rows, "row"), format_bytes(progress.bytes)));
                       return true;
                     }));
    Json json;
    json["name"] = dumped.settings.name;
    json["id"] = dumped.settings.volume_id;
    json["file"] = path_;
    json["rows"] = dumped.size.rows;
    json["bytes"] = dumped.size.bytes;
    json["unstored_chunks"] = dumped.size.unstored;
    std::string text = fmt::format("dumped volume {} into {}: {}, {}\n", dumped.settings.name, path_,
                                   counted(dumped.size.rows, "row"), format_bytes(dumped.size.bytes));
    if (dumped.size.unstored > 0)
      text += fmt::format("{} not in the object store yet; keep the caches of the machines that wrote them\n",
                          counted(dumped.size.unstored, "chunk") + (dumped.size.unstored == 1 ? " is" : " are"));
    return Outcome{json_document(json), text, 0, ""};
  }

 private:
  std::string metadata_;
  std::string path_;
};

}  // namespace

std::unique_ptr<Command> make_dump() { return std::make_unique<Dump>(); }

}  // namespace weir::cli
