#include "object/retrying/brake.h"

#include <algorithm>

#include "base/limits.h"

namespace weir::object {

namespace {

constexpr int64_t kNsPerMs = 1'000'000;
constexpr double kNsPerSecond = 1e9;
constexpr int64_t kWindowNs = limits::kBrakeWindowMs * kNsPerMs;
constexpr int64_t kShortestMeasureNs = 20 * kNsPerMs;
constexpr int64_t kLongestWindowNs = 20 * kWindowNs;
constexpr double kAskedThatCount = 12;    // in a window, once there is a brake
constexpr double kRefusalsThatCount = 2;  // in a window

}  // namespace

void Brake::count_window(int64_t now_ns) {
  const int64_t age_ns = now_ns - window_ns_;
  const bool counts = in_window_ + refused_in_window_ >= kAskedThatCount || age_ns >= kLongestWindowNs;
  if (age_ns < kWindowNs || !counts) return;
  accepted_rate_ = in_window_ * kNsPerSecond / static_cast<double>(age_ns);
  in_window_ = refused_in_window_ = 0;
  window_ns_ = now_ns;
}

void Brake::go_on(int64_t now_ns) {
  const double seconds = static_cast<double>(now_ns - now_ns_) / kNsPerSecond;
  now_ns_ = now_ns;
  if (rate_ == 0) return;
  if (now_ns - cut_ns_ >= limits::kBrakeForgottenMs * kNsPerMs) {
    rate_ = 0;
    return;
  }
  // Faster, the longer the store has taken all.
  const double since_cut = static_cast<double>(now_ns - cut_ns_) / kNsPerSecond;
  rate_ *= 1 + limits::kBrakeGrowthPerSecond * (1 + since_cut / 2) * seconds;
  // Turns that nobody took are not saved up.
  turn_ = std::min(turn_ + rate_ * seconds, next_turn_ + 1);
}

int64_t Brake::wait_ns(double turn, int64_t now_ns) {
  go_on(now_ns);
  if (rate_ == 0) turn_ = std::max(turn_, turn + 1);
  if (turn < turn_) return 0;
  return static_cast<int64_t>((turn - turn_) / rate_ * kNsPerSecond) + 1;
}

void Brake::accepted(int64_t now_ns) {
  count_window(now_ns);
  ++in_window_;
}

void Brake::refused(int64_t now_ns) {
  count_window(now_ns);
  go_on(now_ns);
  ++refused_in_window_;
  // A store that refuses one now and then is not overloaded.
  const double asked = in_window_ + refused_in_window_;
  if (refused_in_window_ < kRefusalsThatCount || refused_in_window_ < limits::kBrakeRefusedShare * asked) return;
  // Those that were on their way when the rate was cut say nothing about the new one.
  if (rate_ != 0 && (asked < kAskedThatCount || now_ns - cut_ns_ < kWindowNs)) return;
  // What was taken in the last whole window is the store's rate. Without one, the first moments are too high a guess,
  // which the next windows correct.
  const int64_t age_ns = std::max(now_ns - window_ns_, kShortestMeasureNs);
  const double taken = accepted_rate_ > 0 ? accepted_rate_ : in_window_ * kNsPerSecond / static_cast<double>(age_ns);
  if (rate_ == 0) {
    rate_ = taken;
    turn_ = std::max(turn_, next_turn_ - 1);
  } else {
    rate_ = std::min(rate_, std::max(taken, rate_ / 2));
  }
  rate_ = std::max(rate_ * limits::kBrakeCut, limits::kBrakeRateMin);
  cut_ns_ = now_ns;
  accepted_rate_ = in_window_ = refused_in_window_ = 0;
  window_ns_ = now_ns;
}

}  // namespace weir::object
