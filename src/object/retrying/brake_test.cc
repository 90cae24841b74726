#include "object/retrying/brake.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <queue>
#include <utility>
#include <vector>

#include "base/limits.h"

namespace weir::object {
namespace {

constexpr int64_t kSecondNs = 1'000'000'000;
constexpr int64_t kLatencyNs = kSecondNs / 50;
constexpr int64_t kLookAgainNs = kSecondNs / 10;  // as RetryingStore

/// A store that takes `rate` requests a second, and some at once after a pause.
class TokenBucket {
 public:
  explicit TokenBucket(double rate, double burst_seconds)
      : rate_(rate), burst_(burst_seconds), tokens_(rate * burst_) {}
  bool takes(int64_t now_ns) {
    tokens_ =
        std::min(std::max(1.0, rate_ * burst_), tokens_ + rate_ * static_cast<double>(now_ns - last_ns_) / kSecondNs);
    last_ns_ = now_ns;
    if (tokens_ < 1) return false;
    tokens_ -= 1;
    return true;
  }
  void set_rate(double rate) { rate_ = rate; }

 private:
  double rate_;
  double burst_;
  double tokens_;
  int64_t last_ns_ = 0;
};

/// Clients that ask again as soon as they have an answer, all behind one brake.
struct Load {
  Load(double rate, int clients, double burst_seconds = 1) : store(rate, burst_seconds) {
    for (int i = 0; i < clients; ++i) asks.emplace(0, brake.take_turn());
  }
  struct Counts {
    double taken = 0;
    double refused = 0;
  };

  Counts run_until(int64_t end_ns) {
    Counts counts;
    while (asks.top().first < end_ns) {
      const auto [now_ns, turn] = asks.top();
      asks.pop();
      if (const int64_t wait_ns = brake.wait_ns(turn, now_ns); wait_ns > 0) {
        asks.emplace(now_ns + std::min(wait_ns, kLookAgainNs), turn);
        continue;
      }
      const bool takes = store.takes(now_ns);
      takes ? brake.accepted(now_ns) : brake.refused(now_ns);
      ++(takes ? counts.taken : counts.refused);
      asks.emplace(now_ns + kLatencyNs, takes ? brake.take_turn() : brake.take_turn_again());
    }
    return counts;
  }

  Brake brake;
  TokenBucket store;
  using Event = std::pair<int64_t, double>;
  std::priority_queue<Event, std::vector<Event>, std::greater<>> asks;
};

TEST(BrakeTest, without_refusals_nobody_waits) {
  Load load(1e9, 32);
  const Load::Counts counts = load.run_until(10 * kSecondNs);
  EXPECT_EQ(counts.refused, 0);
  EXPECT_NEAR(counts.taken, 32 * 50 * 10, 100);
  EXPECT_EQ(load.brake.rate(), 0);
}

TEST(BrakeTest, most_of_the_rate_is_used_and_little_is_asked_in_vain) {
  for (const double rate : {1.0, 2.0, 5.0, 10.0, 20.0, 60.0, 500.0}) {
    for (const double burst_seconds : {0.0, 0.2, 1.0, 5.0}) {
      SCOPED_TRACE(::testing::Message() << rate << " a second, " << burst_seconds << " s at once");
      Load load(rate, 64, burst_seconds);
      load.run_until(30 * kSecondNs);
      const Load::Counts counts = load.run_until(150 * kSecondNs);
      EXPECT_GE(counts.taken, 0.8 * rate * 120);
      EXPECT_LE(counts.refused, 0.12 * counts.taken + 10);
    }
  }
}

TEST(BrakeTest, a_store_that_refuses_one_in_thirty_whatever_the_rate_is_not_slowed_down) {
  Brake brake;
  int64_t now_ns = 0;
  for (int request = 1; request <= 10'000; ++request, now_ns += kSecondNs / 200) {
    ASSERT_EQ(brake.wait_ns(brake.take_turn(), now_ns), 0);
    request % 30 == 0 ? brake.refused(now_ns) : brake.accepted(now_ns);
  }
  EXPECT_EQ(brake.rate(), 0);
}

TEST(BrakeTest, a_store_that_takes_less_or_more_later_is_followed) {
  Load load(400, 64);
  load.run_until(20 * kSecondNs);
  load.store.set_rate(40);
  load.run_until(40 * kSecondNs);
  Load::Counts counts = load.run_until(60 * kSecondNs);
  EXPECT_GE(counts.taken, 0.8 * 40 * 20);
  EXPECT_LE(counts.refused, 0.15 * counts.taken);
  load.store.set_rate(400);
  load.run_until(160 * kSecondNs);
  counts = load.run_until(180 * kSecondNs);
  EXPECT_GE(counts.taken, 0.8 * 400 * 20);
}

TEST(BrakeTest, a_store_that_becomes_slow_after_a_quiet_time_is_followed_within_seconds) {
  Load load(400, 64);
  load.run_until(10 * kSecondNs);
  ASSERT_GT(load.brake.rate(), 0);
  load.store.set_rate(1e9);
  load.run_until(200 * kSecondNs);
  load.store.set_rate(40);
  load.run_until(215 * kSecondNs);
  const Load::Counts counts = load.run_until(235 * kSecondNs);
  EXPECT_GE(counts.taken, 0.8 * 40 * 20);
  EXPECT_LE(counts.refused, 0.15 * counts.taken);
}

TEST(BrakeTest, what_was_refused_goes_before_what_still_waits) {
  Load load(5, 64);
  load.run_until(20 * kSecondNs);
  ASSERT_GT(load.brake.rate(), 0);
  const int64_t now_ns = 20 * kSecondNs;
  const double late = load.brake.take_turn();
  const double again = load.brake.take_turn_again();
  EXPECT_LE(load.brake.wait_ns(again, now_ns), kSecondNs);
  EXPECT_GT(load.brake.wait_ns(late, now_ns), 5 * kSecondNs);
}

TEST(BrakeTest, a_time_that_goes_back_changes_nothing) {
  Load load(50, 16);
  load.run_until(10 * kSecondNs);
  const double rate = load.brake.rate();
  ASSERT_GT(rate, 0);
  load.brake.wait_ns(0, 5 * kSecondNs);
  EXPECT_EQ(load.brake.rate(), rate);
}

TEST(BrakeTest, is_off_again_when_the_store_has_not_refused_for_long) {
  Load load(50, 16);
  load.run_until(10 * kSecondNs);
  EXPECT_GT(load.brake.rate(), 0);
  load.store.set_rate(1e9);
  load.run_until(limits::kBrakeForgottenMs * (kSecondNs / 1000) + 20 * kSecondNs);
  EXPECT_EQ(load.brake.rate(), 0);
}

}  // namespace
}  // namespace weir::object
