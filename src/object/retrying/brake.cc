#include "object/retrying/brake.h"

#include <algorithm>

#include "base/limits.h"

namespace weir::object {

namespace {

constexpr int64_t kNsPerMs = 1'000'000;
constexpr double kNsPerSecond = 1e9;
constexpr int64_t kWindowNs = limits::kBrakeWindowMs * kNsPerMs;
constexpr double kCountable = 10;  // requests in a window that make it a measure

}  // namespace

void Brake::count_window(int64_t now_ns) {
  const int64_t age_ns = now_ns - window_ns_;
  if (age_ns < kWindowNs) return;
  accepted_rate_ = in_window_ * kNsPerSecond / static_cast<double>(age_ns);
  in_window_ = 0;
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
  rate_ *= 1 + limits::kBrakeGrowthPerSecond * seconds;
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
  // Those that were on their way when the rate was cut say nothing about the new one.
  if (rate_ != 0 && now_ns - cut_ns_ < kWindowNs) return;
  const double in_window = in_window_ * kNsPerSecond / static_cast<double>(kWindowNs);
  const double taken = std::max(accepted_rate_, in_window);
  const bool counted = taken * static_cast<double>(kWindowNs) / kNsPerSecond >= kCountable;
  if (rate_ == 0) {
    rate_ = std::max(taken, limits::kBrakeRateMin);
    turn_ = std::max(turn_, next_turn_ - 1);
  } else if (counted) {
    rate_ = std::min(rate_, taken);
  }
  rate_ = std::max(rate_ * limits::kBrakeCut, limits::kBrakeRateMin);
  cut_ns_ = now_ns;
}

}  // namespace weir::object
