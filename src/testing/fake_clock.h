#pragma once

#include <atomic>
#include <cstdint>

#include "base/clock.h"

namespace weir::testing {

/// Stands still until told. sleep_ms() returns at once and moves both times on by that much. Thread-safe.
class FakeClock : public Clock {
 public:
  /// 2024-01-01, so that times in records look like times.
  static constexpr int64_t kStartNs = 1'704'067'200'000'000'000;

  int64_t realtime_ns() const override { return kStartNs + elapsed_ns_; }
  int64_t monotonic_ns() const override { return elapsed_ns_; }
  void sleep_ms(int64_t duration_ms) override { advance_ms(duration_ms); }

  void advance_ms(int64_t duration_ms) { elapsed_ns_ += duration_ms * 1'000'000; }
  void advance_ns(int64_t duration_ns) { elapsed_ns_ += duration_ns; }

 private:
  std::atomic<int64_t> elapsed_ns_ = 0;
};

}  // namespace weir::testing
