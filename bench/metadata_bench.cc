// Metadata on a PostgreSQL server of its own, with durable commits: bare commits as the floor, then the operations of
// meta/ over it and over the embedded engine, by one client and by several, and several nodes at once. Rates are those
// of the whole; latencies are means.
#include <CLI/CLI.hpp>
#include <cstdio>

#include "bench/metadata/stage.h"

namespace weir::bench {
namespace {

int run(const StageOptions& options) {
  auto stage = Stage::make(options);
  Status done = stage ? (*stage)->measure() : Status(Failure(stage.error()));
  if (done) return 0;
  fmt::print(stderr, "metadata_bench: {}\n", done.error().what);
  return 1;
}

}  // namespace
}  // namespace weir::bench

int main(int count, char** arguments) {
  weir::bench::StageOptions options;
  CLI::App app("Metadata on PostgreSQL (docs/postgresql.md)");
  app.add_option("--operations", options.operations, "Of each kind.")
      ->capture_default_str()
      ->check(CLI::Range(8, 1'000'000));
  app.add_option("--clients", options.clients, "Threads of the measurements with several.")
      ->capture_default_str()
      ->check(CLI::Range(2, 64));
  app.add_option("--entries", options.entries, "Names of the directory that is listed.")
      ->capture_default_str()
      ->check(CLI::Range(100, 10'000'000));
  app.add_option("--only", options.only, "One group of measurements.")
      ->check(CLI::IsMember({"floor", "names", "contents", "listing", "nodes"}));
  bool quick = false;
  app.add_flag("--quick", quick, "Shows that it works, not how fast.");
  try {
    app.parse(count, arguments);
  } catch (const CLI::ParseError& wrong) {
    return app.exit(wrong) == 0 ? 0 : 2;
  }
  if (quick) options.operations = 100;
  if (quick) options.entries = 1000;
  return weir::bench::run(options);
}
