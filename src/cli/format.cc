#include <CLI/CLI.hpp>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "cli/command.h"
#include "cli/option_checks.h"
#include "daemon/json.h"
#include "daemon/volume/format_volume.h"

namespace weir::cli {

namespace {

std::string default_name(const MetadataUrl& metadata) {
  std::string name = std::filesystem::path(metadata.display).filename();
  return name.empty() ? "weir" : name;
}

class Format : public Command {
 public:
  Manual manual() const override {
    return {
        .name = "format",
        .summary = "create a volume",
        .arguments = "META_URL --store URL",
        .description =
            "Creates an empty volume whose names and attributes are kept at META_URL and whose contents are kept in "
            "the "
            "object store at URL. Nothing that is there already is touched: metadata and store must be new, or "
            "empty.\n\n"
            "META_URL is a directory (a path or rocksdb:///path; for one machine) or postgres://USER@HOST/DATABASE. "
            "URL is a directory (a path or file:///path) or "
            "s3://BUCKET/PREFIX?endpoint=http://HOST:PORT&region=REGION. The directories above, or the bucket, must "
            "exist. Credentials for S3 come from AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, from a profile of "
            "~/.aws/credentials or from the machine, never from the URL. The root of the volume belongs to the user "
            "who "
            "runs the command.",
        .examples = {"weir format /srv/weir/meta --store /mnt/objects/weir",
                     "weir format postgres://weir@db/weir --store /mnt/nfs/weir --name models",
                     "weir format postgres://weir@db/weir --store 's3://bucket/weir?region=eu-west-1'",
                     "weir format /srv/weir/meta --store /mnt/objects/weir --durability stored"},
    };
  }

  void add_options(CLI::App& app) override {
    app.add_option("META_URL", metadata_, "Where the metadata shall be.")->required()->check(metadata_url());
    app.add_option("--store", store_, "Where the contents shall be.")
        ->type_name("URL")
        ->required()
        ->check(not_empty("the store URL"));
    app.add_option("--name", name_, "Name of the volume, which df and mount show. Default: the last part of META_URL.")
        ->type_name("NAME")
        ->check(not_empty("the name"));
    app.add_option("--durability", durability_,
                   "How safe a file is when fsync returns: local (on this machine's disk), zone (on a second machine; "
                   "as stored while a zone has one), or stored (in the object store). A mount may choose otherwise. "
                   "Default: local.")
        ->type_name("STATE")
        ->check(one_of({"local", "zone", "stored"}));
  }

  Result<Outcome> run(bool) override {
    ASSIGN_OR_RETURN(MetadataUrl metadata, parse_metadata_url(metadata_));
    if (name_.empty()) name_ = default_name(metadata);
    ASSIGN_OR_RETURN(
        VolumeSettings settings,
        format_volume(
            {.metadata = metadata, .store_url = store_, .name = name_, .durability = *durability_of(durability_)}));
    Json json;
    json["name"] = settings.name;
    json["id"] = settings.volume_id;
    json["metadata"] = metadata.display;
    json["store"] = settings.store_url;
    json["durability"] = durability_name(settings.durability);
    return Outcome{json_document(json),
                   fmt::format("created volume {} ({})\nmount it with: weir mount {} MOUNTPOINT\n", settings.name,
                               settings.volume_id, metadata.display),
                   0, ""};
  }

 private:
  std::string metadata_;
  std::string store_;
  std::string name_;
  std::string durability_ = "local";
};

}  // namespace

std::unique_ptr<Command> make_format() { return std::make_unique<Format>(); }

}  // namespace weir::cli
