#include <sys/mount.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>

#include "base/io.h"
#include "bench/measure/groups.h"
#include "bench/options.h"
#include "bench/place/floor_place.h"
#include "bench/place/weir_place.h"
#include "bench/report/json.h"
#include "bench/report/svg.h"
#include "bench/report/table.h"
#include "bench/rounds.h"

namespace weir::bench {

namespace {

/// A directory that ends with the run.
class Scratch {
 public:
  static Result<std::unique_ptr<Scratch>> make(const std::string& below) {
    std::string path = below + "/weir-bench-XXXXXX";
    if (::mkdtemp(path.data()) == nullptr) return errno_error(errno, "make a directory in " + below);
    return std::unique_ptr<Scratch>(new Scratch(path));
  }
  ~Scratch() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;

  const std::string& path() const { return path_; }

 private:
  explicit Scratch(std::string path) : path_(std::move(path)) {}

  const std::string path_;
};

struct Stage {
  std::vector<std::unique_ptr<Scratch>> scratch;  // outlives the places
  Places places;
  std::vector<std::string> others;
  bool passthrough = false;
};

Result<Stage> set_stage(const Options& options) {
  Stage stage;
  ASSIGN_OR_RETURN(auto own, Scratch::make(options.directory));
  const std::string root = own->path();
  stage.scratch.push_back(std::move(own));
  ASSIGN_OR_RETURN(auto weir, WeirPlace::mount({options.program, root, options.passthrough}));
  stage.passthrough = weir->passthrough();
  stage.places.push_back(std::move(weir));
  TRY(io::make_directories(root + "/raw", 0755));
  stage.places.push_back(std::make_unique<Place>(PlaceKind::kRaw, "raw", root + "/raw"));
  ASSIGN_OR_RETURN(auto floor, FloorPlace::mount(options.floor_program, root + "/floor"));
  stage.places.push_back(std::move(floor));
  for (const std::string& directory : options.against) {
    ASSIGN_OR_RETURN(auto scratch, Scratch::make(directory));
    stage.places.push_back(std::make_unique<Place>(PlaceKind::kAgainst, directory, scratch->path()));
    stage.others.push_back(directory);
    stage.scratch.push_back(std::move(scratch));
  }
  return stage;
}

bool is_wanted(const Group& group, const Options& options) {
  if (options.groups.empty()) return !group.on_request;
  return std::find(options.groups.begin(), options.groups.end(), group.name) != options.groups.end();
}

std::vector<Group> wanted_groups(const Options& options, bool passthrough) {
  std::vector<Group> wanted;
  for (Group& group : all_groups(options, passthrough)) {
    if (!is_wanted(group, options)) continue;
    std::erase_if(group.measurements, [&](const Measurement& measurement) {
      return measurement.name.find(options.only) == std::string::npos;
    });
    if (!group.measurements.empty()) wanted.push_back(std::move(group));
  }
  return wanted;
}

void list(const Options& options) {
  for (const Group& group : all_groups(options, options.passthrough)) {
    fmt::print("{}: {}{}\n", group.name, group.summary, group.on_request ? " (only when named)" : "");
    for (const Measurement& measurement : group.measurements)
      fmt::print("  {}, {}\n", measurement.name, measurement.unit);
  }
}

Status write_text(const std::string& file, const std::string& text) {
  if (file == "-") {
    std::cout << text;
    return {};
  }
  std::ofstream out(file);
  out << text;
  out.close();
  if (!out) return error(Code::kIo, "cannot write {}", file);
  return {};
}

Status check_groups(const Options& options) {
  const std::vector<Group> groups = all_groups(options, options.passthrough);
  for (const std::string& name : options.groups)
    if (std::none_of(groups.begin(), groups.end(), [&](const Group& group) { return group.name == name; }))
      return error(Code::kInvalid, "there is no group '{}'; --list shows those there are", name);
  return {};
}

Status measure(const Options& options) {
  TRY(check_groups(options));
  ASSIGN_OR_RETURN(Stage first, set_stage(options));
  auto stage = std::make_optional(std::move(first));
  const bool passthrough = stage->passthrough;
  // The table leaves stdout to JSON that goes there.
  std::FILE* out = options.json_file == "-" ? stderr : stdout;
  if (!can_drop_caches()) fmt::print(stderr, "not root: nothing is measured with caches dropped\n");
  Table table(stage->others);
  fmt::print(out, "passthrough {}, medians of {} rounds\n{}", passthrough ? "on" : "off", options.rounds, table.head());
  std::vector<Figures> all;
  for (const Group& group : wanted_groups(options, passthrough)) {
    // A volume for each group: chunks that the group before left in cache and store would fill the disk.
    if (!stage) {
      ASSIGN_OR_RETURN(Stage next, set_stage(options));
      stage.emplace(std::move(next));
    }
    TRY(run_group(group, stage->places, options.rounds, [&](const Figures& figures) {
      fmt::print(out, "{}", table.line(figures));
      std::fflush(out);
      all.push_back(figures);
    }));
    stage.reset();
  }
  fmt::print(out, "{}", table.foot());
  if (!options.json_file.empty()) TRY(write_text(options.json_file, json_of(all, passthrough)));
  if (!options.svg_file.empty()) TRY(write_text(options.svg_file, svg_of(all)));
  return {};
}

}  // namespace

}  // namespace weir::bench

int main(int count, char** arguments) {
  int exit_code = 0;
  const auto options = weir::bench::parse_options(count, arguments, &exit_code);
  if (!options) return exit_code;
  if (options->list) {
    weir::bench::list(*options);
    return 0;
  }
  // What is mounted is unmounted before this ends.
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) std::signal(signal, [](int) { weir::bench::interrupt_rounds(); });
  const weir::Status measured = weir::bench::measure(*options);
  if (measured) return 0;
  fmt::print(stderr, "mount_bench: {}\n", measured.error().what);
  return 1;
}
