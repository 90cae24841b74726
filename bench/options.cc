#include "bench/options.h"

#include <CLI/CLI.hpp>
#include <cstdlib>
#include <filesystem>

namespace weir::bench {

namespace {

Sizes quick_sizes() {
  Sizes sizes;
  sizes.read_bytes = uint64_t{64} << 20;
  sizes.write_bytes = uint64_t{128} << 20;
  sizes.fill_bytes = uint64_t{128} << 20;
  sizes.store_bytes = uint64_t{64} << 20;
  sizes.stored_files = 400;
  sizes.random_reads = 4'000;
  sizes.names = 500;
  sizes.unpacked_files = 1'000;
  sizes.renamed_entries = 5'000;
  sizes.checkout_files = 3'000;
  sizes.many_files = 20'000;
  sizes.big_bytes = uint64_t{1} << 30;
  sizes.idle_ms = 3'000;
  return sizes;
}

std::string from_environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

/// WEIR_BIN is the program, or the directory that it is in; without, the program of this build.
std::string default_program(const std::filesystem::path& own_directory) {
  std::filesystem::path given = from_environment("WEIR_BIN");
  if (given.empty()) return own_directory / "../bin/weir";
  std::error_code ignored;
  return std::filesystem::is_directory(given, ignored) ? given / "weir" : given;
}

}  // namespace

std::optional<Options> parse_options(int count, char** arguments, int* exit_code) {
  Options options;
  const std::filesystem::path own_directory = std::filesystem::canonical("/proc/self/exe").parent_path();
  options.program = default_program(own_directory);
  options.floor_program = own_directory / "weir_floor";

  CLI::App app(
      "Measures a volume of its own beside a plain directory on the same disk, and beside the floor: the "
      "same kernel channel that answers from memory. docs/performance.md says how, and what to expect.");
  app.set_help_flag("-h,--help", "Show this and end.");
  app.add_option("GROUP", options.groups, "Groups of measurements. Default: all but those that take very long.");
  app.add_option("--dir", options.directory, "Scratch directory, on the disk to measure.")->capture_default_str();
  app.add_option("--against", options.against,
                 "Another directory or mount to measure in the same run; may be repeated.");
  app.add_option("--only", options.only, "Only measurements with this text in their name.");
  app.add_option("--rounds", options.rounds, "Rounds of which the median is taken.")
      ->capture_default_str()
      ->check(CLI::Range(1, 1000));
  std::string passthrough = "on";
  app.add_option("--passthrough", passthrough, "Whether the kernel reads complete files by itself.")
      ->capture_default_str()
      ->check(CLI::IsMember({"on", "off"}));
  bool quick = false;
  app.add_flag("--quick", quick, "Small sizes and 3 rounds: shows that it works, not how fast.");
  app.add_option("--json", options.json_file, "Write all figures to this file; - is standard output.");
  app.add_option("--svg", options.svg_file, "Write bars of the ratios to this file.");
  app.add_flag("--list", options.list, "Print groups and measurements, and end.");
  try {
    app.parse(count, arguments);
  } catch (const CLI::ParseError& wrong) {
    *exit_code = app.exit(wrong) == 0 ? 0 : 2;
    return std::nullopt;
  }
  options.passthrough = passthrough == "on";
  if (quick) {
    options.sizes = quick_sizes();
    if (app.count("--rounds") == 0) options.rounds = 3;
  }
  return options;
}

}  // namespace weir::bench
