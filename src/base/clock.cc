#include "base/clock.h"

#include <ctime>

namespace weir {

namespace {

int64_t read_clock_ns(clockid_t id) {
  timespec now{};
  clock_gettime(id, &now);
  return now.tv_sec * 1'000'000'000 + now.tv_nsec;
}

}  // namespace

int64_t SystemClock::realtime_ns() const { return read_clock_ns(CLOCK_REALTIME); }
int64_t SystemClock::monotonic_ns() const { return read_clock_ns(CLOCK_MONOTONIC); }

void SystemClock::sleep_ms(int64_t duration_ms) {
  timespec duration{duration_ms / 1000, (duration_ms % 1000) * 1'000'000};
  while (nanosleep(&duration, &duration) != 0) {
  }
}

}  // namespace weir
