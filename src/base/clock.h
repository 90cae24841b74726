#pragma once

#include <cstdint>

namespace weir {

/// Time as the code sees it. Thread-safe; never blocks, except sleep_ms().
class Clock {
 public:
  virtual ~Clock() = default;
  /// Nanoseconds since 1970, for timestamps that users see. May jump.
  virtual int64_t realtime_ns() const = 0;
  /// Nanoseconds since some fixed moment, for durations and deadlines. Never goes back.
  virtual int64_t monotonic_ns() const = 0;
  /// Blocks: for that long.
  virtual void sleep_ms(int64_t duration_ms) = 0;
};

class SystemClock : public Clock {
 public:
  int64_t realtime_ns() const override;
  int64_t monotonic_ns() const override;
  void sleep_ms(int64_t duration_ms) override;
};

}  // namespace weir
