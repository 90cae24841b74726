#pragma once

#include "base/clock.h"

namespace weir::bench {

/// Counts from its construction.
class Stopwatch {
 public:
  Stopwatch() : started_ns_(clock_.monotonic_ns()) {}

  double seconds() const { return static_cast<double>(clock_.monotonic_ns() - started_ns_) / 1e9; }
  double milliseconds() const { return seconds() * 1e3; }
  double megabytes_per_second(uint64_t bytes) const { return static_cast<double>(bytes) / 1e6 / seconds(); }
  double per_second(int count) const { return count / seconds(); }

 private:
  SystemClock clock_;
  int64_t started_ns_;
};

}  // namespace weir::bench
