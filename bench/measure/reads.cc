#include "bench/measure/content.h"
#include "bench/measure/groups.h"
#include "bench/measure/read_patterns.h"

namespace weir::bench {

namespace {

constexpr uint64_t kKibibyte = 1u << 10;
constexpr uint64_t kMebibyte = 1u << 20;
constexpr const char* kFile = "read.bin";

using Read = std::function<Result<double>(const std::string& path, uint64_t bytes)>;

/// A way to read, and what share of the raw disk's speed it shall reach in each state.
struct Pattern {
  std::string name;
  std::string unit;
  Read read;
};

/// What was done with the file before it is read.
struct State {
  std::string name;
  std::function<Status(Place&, const std::string& path, uint64_t bytes)> reach;
};

Pattern sequential(const std::string& name, uint64_t request_bytes, int threads) {
  return {
      threads == 1 ? name : name + " x " + std::to_string(threads), "MB/s",
      [=](const std::string& path, uint64_t bytes) { return read_sequentially(path, bytes, request_bytes, threads); }};
}

Pattern direct(int threads) {
  return {threads == 1 ? "O_DIRECT 1 MiB" : "O_DIRECT 1 MiB x " + std::to_string(threads), "MB/s",
          [=](const std::string& path, uint64_t bytes) { return read_directly(path, bytes, kMebibyte, threads); }};
}

std::vector<Pattern> patterns(const Sizes& sizes) {
  std::vector<Pattern> all;
  for (const int threads : {1, 4}) {
    all.push_back(sequential("128 KiB", 128 * kKibibyte, threads));
    all.push_back(sequential("1 MiB", kMebibyte, threads));
    all.push_back(sequential("4 MiB", 4 * kMebibyte, threads));
  }
  all.push_back({"mmap", "MB/s", read_mapped});
  all.push_back({"random 4 KiB", "reads/s", [count = sizes.random_reads](const std::string& path, uint64_t bytes) {
                   return read_randomly(path, bytes, count);
                 }});
  all.push_back(direct(1));
  all.push_back(direct(4));
  return all;
}

Status write_new(Place& place, const std::string& path, uint64_t bytes) {
  TRY(make_file(path, bytes));
  return place.settle();
}

std::vector<State> states() {
  std::vector<State> all;
  all.push_back({"just written", write_new});
  all.push_back({"just filled", [](Place& place, const std::string& path, uint64_t bytes) -> Status {
                   TRY(write_new(place, path, bytes));
                   TRY(place.refill(path));
                   return place.settle();
                 }});
  all.push_back({"read before", [](Place& place, const std::string& path, uint64_t bytes) -> Status {
                   TRY(write_new(place, path, bytes));
                   TRY(read_sequentially(path, bytes, kMebibyte, 1));
                   return {};
                 }});
  if (!can_drop_caches()) return all;
  all.push_back({"cache dropped", [](Place& place, const std::string& path, uint64_t bytes) -> Status {
                   TRY(write_new(place, path, bytes));
                   return drop_pages();
                 }});
  return all;
}

/// Shares of the raw disk's figure, with the kernel reading complete files by itself.
std::vector<Target> targets_with_passthrough(const State& state, const Pattern& pattern) {
  if (pattern.name.starts_with("O_DIRECT")) return {{Target::Of::kRaw, 0.9}};
  if (state.name == "cache dropped") {
    const bool named = pattern.name == "1 MiB" || pattern.name == "mmap" || pattern.name == "random 4 KiB";
    return named ? std::vector<Target>{{Target::Of::kRaw, 0.9}} : std::vector<Target>{};
  }
  if (pattern.name.starts_with("1 MiB") || pattern.name.starts_with("4 MiB")) return {{Target::Of::kRaw, 0.85}};
  if (pattern.name == "mmap" || pattern.name == "random 4 KiB") return {{Target::Of::kRaw, 0.8}};
  return {};
}

/// The same with the daemon reading.
std::vector<Target> targets_without(const State& state, const Pattern& pattern) {
  if (pattern.name == "O_DIRECT 1 MiB") return {{Target::Of::kRaw, 0.22}};
  if (pattern.name == "O_DIRECT 1 MiB x 4") return {{Target::Of::kRaw, 0.4}};
  if (pattern.name == "1 MiB" && state.name == "read before") return {{Target::Of::kRaw, 0.4}};
  if (pattern.name == "mmap" && state.name == "read before") return {{Target::Of::kRaw, 0.12}};
  if (pattern.name == "1 MiB" && state.name == "just filled") return {{Target::Of::kRaw, 0.15}};
  return {};
}

Measurement measurement(const State& state, const Pattern& pattern, uint64_t bytes, bool passthrough) {
  Measurement made;
  made.name = "read " + pattern.name + ", " + state.name;
  made.unit = pattern.unit;
  made.targets = passthrough ? targets_with_passthrough(state, pattern) : targets_without(state, pattern);
  made.places = {PlaceKind::kWeir, PlaceKind::kRaw, PlaceKind::kAgainst};
  made.run = [state, pattern, bytes](Place& place) -> Result<double> {
    const std::string path = place.file(kFile);
    TRY(state.reach(place, path, bytes));
    auto speed = pattern.read(path, bytes);
    TRY(remove_path(path));
    return speed;
  };
  return made;
}

}  // namespace

Group read_group(const Sizes& sizes, bool passthrough) {
  Group group;
  group.name = "reads";
  group.summary = "a big file, first read included, in each state that matters";
  for (const State& state : states())
    for (const Pattern& pattern : patterns(sizes))
      group.measurements.push_back(measurement(state, pattern, sizes.read_bytes, passthrough));
  return group;
}

}  // namespace weir::bench
