#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace weir::bench {

/// How much is measured.
struct Sizes {
  uint64_t read_bytes = uint64_t{256} << 20;
  uint64_t write_bytes = uint64_t{1} << 30;
  uint64_t fill_bytes = uint64_t{2} << 30;
  uint64_t store_bytes = uint64_t{1} << 30;
  int stored_files = 6'000;
  int random_reads = 20'000;
  int names = 2'000;              // of a measurement that makes, looks up or removes files
  int unpacked_files = 10'000;    // of untar and rm -rf
  int renamed_entries = 100'000;  // in the directory that is renamed
  int checkout_files = 50'000;    // of git status
  int many_files = 1'000'000;     // of the memory group
  uint64_t big_bytes = uint64_t{20} << 30;
  int64_t idle_ms = 20'000;
};

struct Options {
  std::string directory = "/var/tmp";
  std::string program;        // the weir binary
  std::string floor_program;  // weir_floor
  std::vector<std::string> groups;
  std::vector<std::string> against;
  std::string only;  // part of a measurement's name
  bool passthrough = true;
  int rounds = 5;
  Sizes sizes;
  std::string json_file;
  std::string svg_file;
  bool list = false;
};

/// Nothing: the program ends with `exit_code`, and has said why.
std::optional<Options> parse_options(int count, char** arguments, int* exit_code);

}  // namespace weir::bench
