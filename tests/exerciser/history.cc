#include "history.h"

#include <fmt/format.h>

#include <utility>

#include "outcome.h"

#include <cstring>

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
  if (trace_ != nullptr) std::fprintf(trace_, "%s\n", line.c_str());
}

void History::print(std::FILE* file) const {
  for (uint64_t number = count_ < kKept ? 1 : count_ - kKept + 1; number <= count_; ++number) {
    std::fprintf(file, "%s\n", last_[number % kKept].c_str());
  }
}

}  // namespace weir::exerciser
