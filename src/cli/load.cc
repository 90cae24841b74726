#include <CLI/CLI.hpp>
#include <filesystem>
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

class Load : public Command {
 public:
  Manual manual() const override {
    return {
        .name = "load",
        .summary = "make a volume of a dump",
        .arguments = "FILE META_URL",
        .description =
            "Puts what weir dump wrote into FILE at META_URL, where nothing may be yet. The loaded volume is a new "
            "incarnation of the one that was dumped, and takes its object store over: the store's marker names the new "
            "incarnation from then on. The volume that was dumped cannot be mounted any more after that, so it deletes "
            "nothing that the new one needs; remove its metadata when the new one is found to be right.\n\n"
            "A load that fails or is interrupted leaves no volume, and the dumped one as it was. What it may have "
            "left in a database must be removed before that place is used again.\n\n"
            "Each dump can be loaded once. To load it again, or an older one, add --take-store; files that were "
            "deleted since may have lost their contents, which weir fsck finds.",
        .examples = {"weir load /backup/weir.dump postgres://weir@db/weir",
                     "weir load /backup/weir.dump /srv/weir/meta --take-store"},
    };
  }

  void add_options(CLI::App& app) override {
    app.add_option("FILE", request_.path, "A file of weir dump.")->required()->check(not_empty("the file's name"));
    app.add_option("META_URL", metadata_, "Where the metadata shall be.")->required()->check(metadata_url());
    app.add_flag("--take-store", request_.take_store,
                 "Take the object store also from another volume that was loaded from a dump of the same.");
  }

  Result<Outcome> run(bool quiet) override {
    ASSIGN_OR_RETURN(request_.metadata, parse_metadata_url(metadata_));
    std::error_code unknown;
    const uint64_t total = std::filesystem::file_size(request_.path, unknown);
    ProgressBar bar("loading", quiet);
    ASSIGN_OR_RETURN(const Loaded loaded, load_volume(request_, [&](const meta::DumpProgress& progress) {
                       bar.show(progress.bytes, unknown ? 0 : total, counted(progress.rows, "row"));
                       return true;
                     }));
    Json json;
    json["name"] = loaded.settings.name;
    json["id"] = loaded.settings.volume_id;
    json["incarnation"] = loaded.settings.incarnation;
    json["metadata"] = request_.metadata.display;
    json["store"] = loaded.settings.store_url;
    json["rows"] = loaded.size.rows;
    json["bytes"] = loaded.size.bytes;
    return Outcome{
        json_document(json),
        fmt::format("loaded volume {} from {}: {}\nmount it with: weir mount {} MOUNTPOINT\n", loaded.settings.name,
                    request_.path, counted(loaded.size.rows, "row"), request_.metadata.display),
        0, ""};
  }

 private:
  LoadRequest request_;
  std::string metadata_;
};

}  // namespace

std::unique_ptr<Command> make_load() { return std::make_unique<Load>(); }

}  // namespace weir::cli
