#include "base/clock.h"

#include <gtest/gtest.h>

#include <ctime>

namespace weir {
namespace {

TEST(Clock, TellsTheSystemsTime) {
  SystemClock clock;
  EXPECT_NEAR(static_cast<double>(clock.realtime_ns()) / 1e9, static_cast<double>(std::time(nullptr)), 5);
}

TEST(Clock, NeverGoesBackAndSleepsLongEnough) {
  SystemClock clock;
  int64_t last_ns = clock.monotonic_ns();
  for (int i = 0; i < 1000; ++i) {
    int64_t now_ns = clock.monotonic_ns();
    ASSERT_GE(now_ns, last_ns);
    last_ns = now_ns;
  }
  clock.sleep_ms(15);
  EXPECT_GE(clock.monotonic_ns() - last_ns, 15'000'000);
}

}  // namespace
}  // namespace weir
