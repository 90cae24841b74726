#include "history.h"

#include <fmt/format.h>

#include <cstring>
#include <ctime>
#include <utility>

#include "outcome.h"

namespace weir::exerciser {

std::string Outcome::text() const {
  return ok() ? std::to_string(value) : fmt::format("{} ({})", strerrorname_np(error), error);
}

void History::begin(std::string operation) {
  ++count_;
  last_[count_ % kKept] = fmt::format("{:>8} {}", count_, std::move(operation));
}

void History::end(const std::string& result) {
  std::string& line = last_[count_ % kKept];
  line += " = " + result;
  if (trace_ == nullptr) return;
  // What other processes did meanwhile is found by the time; they may be killed before they write more.
  struct timespec now {};
  clock_gettime(CLOCK_MONOTONIC, &now);
  std::fprintf(trace_, "%ld.%06ld %s\n", now.tv_sec, now.tv_nsec / 1000, line.c_str());
  std::fflush(trace_);
}

void History::print(std::FILE* file) const {
  for (uint64_t number = count_ < kKept ? 1 : count_ - kKept + 1; number <= count_; ++number) {
    std::fprintf(file, "%s\n", last_[number % kKept].c_str());
  }
}

}  // namespace weir::exerciser
