#include "fuse/caller_end.h"

#include <fmt/format.h>

#include <csignal>
#include <cstdlib>
#include <fstream>
#include <string>
#include <string_view>

namespace weir::fuse {

namespace {

constexpr std::string_view kState = "State:\t";
constexpr std::string_view kPending = "SigPnd:\t";
constexpr int kHex = 16;

}  // namespace

bool is_ending(uint32_t pid) {
  if (pid == 0) return false;
  std::ifstream status(fmt::format("/proc/{}/status", pid));
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with(kState)) {
      const char state = line[kState.size()];
      if (state == 'Z' || state == 'X') return true;
    } else if (line.starts_with(kPending)) {
      const unsigned long long pending = std::strtoull(line.c_str() + kPending.size(), nullptr, kHex);
      return (pending & (1ull << (SIGKILL - 1))) != 0;
    }
  }
  return false;
}

}  // namespace weir::fuse
