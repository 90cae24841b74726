#pragma once

#include <cstdint>
#include <string>

namespace weir::exerciser {

struct Options {
  std::string weir;
  std::string plain;
  uint64_t operations = 10000;
  uint64_t processes = 4;
  uint64_t seed = 0;  // 0: another each time
  int64_t only = -1;  // -1: all
  uint64_t shared_files = 3;
  std::string disturb;
  uint64_t disturb_every_ms = 5000;
  std::string trace;
  bool unmap_before_close = false;
  bool no_unnamed_files = false;
  bool wait_for_room = false;
};

// Prints how it is used and ends the process when the arguments make no sense.
Options read_options(int argc, char** argv);

}  // namespace weir::exerciser
