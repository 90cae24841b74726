#include "testing/s3/rate_limit.h"

#include <gtest/gtest.h>

#include "testing/fake_clock.h"

namespace weir::testing::s3 {
namespace {

int admitted(RateLimit& rate, int tries, uint64_t bytes = 0) {
  int count = 0;
  for (int i = 0; i < tries; i++) count += rate.admit(bytes) ? 1 : 0;
  return count;
}

TEST(RateLimit, LetsAllInUntilItIsSet) {
  FakeClock clock;
  RateLimit rate(clock);
  EXPECT_EQ(admitted(rate, 1000, 1 << 20), 1000);
}

TEST(RateLimit, LetsAsManyRequestsInASecondAsItSays) {
  FakeClock clock;
  RateLimit rate(clock);
  rate.set({.requests_per_second = 100, .burst_ms = 100});
  EXPECT_EQ(admitted(rate, 1000), 10);  // the burst
  int later = 0;
  for (int i = 0; i < 1000; i++) {
    clock.advance_ms(1);
    later += admitted(rate, 5);
  }
  EXPECT_NEAR(later, 100, 1);
}

TEST(RateLimit, ChargesBytesAlsoAfterwards) {
  FakeClock clock;
  RateLimit rate(clock);
  rate.set({.bytes_per_second = 1000, .burst_ms = 1000});
  EXPECT_TRUE(rate.admit(600));
  rate.charge(1400);
  EXPECT_FALSE(rate.admit(1));  // 1000 below nothing
  clock.advance_ms(900);
  EXPECT_FALSE(rate.admit(1));
  clock.advance_ms(200);
  EXPECT_TRUE(rate.admit(1));
}

}  // namespace
}  // namespace weir::testing::s3
