#include "object/retrying/brake.h"

#include <algorithm>
#include <cmath>

#include "base/limits.h"

namespace weir::object {

namespace {

constexpr int64_t kNsPerMs = 1'000'000;
constexpr double kNsPerSecond = 1e9;
constexpr int64_t kWindowNs = limits::kBrakeWindowMs * kNsPerMs;
constexpr int64_t kShortestMeasureNs = 20 * kNsPerMs;
constexpr int64_t kLongestWindowNs = 20 * kWindowNs;
constexpr double kAskedThatCount = 12;    // in a window whose rate counts
constexpr double kRefusalsThatCount = 2;  // in a window
// A store that takes one request a moment, and lends nothing, refuses every second one as soon as it is asked a little
// too often: up to that share, its rate is not far below the brake's.
constexpr double kShareNearTheRate = 0.55;
// Below that many requests a second the rate grows more slowly, so that many are taken between two refusals.
constexpr double kFewRequests = 30;
// A rate that was guessed doubles in a second, or in that many requests, until the store refuses.
constexpr double kRequestsToDouble = 8;
constexpr double kCutOfGuess = 0.7;

}  // namespace

void Brake::count_window(int64_t now_ns) {
  const int64_t age_ns = now_ns - window_ns_;
  const bool counts = in_window_ + refused_in_window_ >= kAskedThatCount || age_ns >= kLongestWindowNs;
  if (age_ns < kWindowNs || !counts) return;
  accepted_rate_ = in_window_ * kNsPerSecond / static_cast<double>(age_ns);
  asked_before_ = in_window_ + refused_in_window_;
  refused_before_ = refused_in_window_;
  in_window_ = refused_in_window_ = 0;
  window_ns_ = now_ns;
}

double Brake::growth_per_second(int64_t now_ns) const {
  if (guessed_) return std::min(1.0, rate_ / kRequestsToDouble);
  // Faster, the longer the store has taken all.
  const double many = std::min(1.0, rate_ / kFewRequests);
  const double since_cut = static_cast<double>(now_ns - cut_ns_) / kNsPerSecond;
  return limits::kBrakeGrowthPerSecond * many * (1 + many * since_cut / 2);
}

void Brake::go_on(int64_t now_ns) {
  if (now_ns <= now_ns_) return;
  const double seconds = static_cast<double>(now_ns - now_ns_) / kNsPerSecond;
  now_ns_ = now_ns;
  if (rate_ == 0) return;
  if (now_ns - cut_ns_ >= limits::kBrakeForgottenMs * kNsPerMs) {
    rate_ = 0;
    return;
  }
  rate_ = std::min(rate_ * (1 + growth_per_second(now_ns) * seconds), limits::kBrakeRateMax);
  // Turns that nobody took are not saved up.
  turn_ = std::min(turn_ + rate_ * seconds, next_turn_ + 1);
}

double Brake::take_turn_again() {
  if (rate_ == 0 || rate_ >= kFewRequests) return take_turn();
  // All others wait for one more, and this one goes before the first of them.
  turn_ -= 1;
  return std::min(std::ceil(turn_), next_turn_);
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

void Brake::cut(int64_t now_ns) {
  const double refused = refused_in_window_ + refused_before_;
  const double asked = in_window_ + refused_in_window_ + asked_before_;
  // One more, since a window may begin with one.
  if (rate_ != 0 && refused <= kShareNearTheRate * asked + 1) {
    rate_ = std::max(rate_ * (guessed_ ? kCutOfGuess : limits::kBrakeCut), limits::kBrakeRateMin);
    guessed_ = false;
    return;
  }
  // What was taken in the last whole window is the store's rate. Without one, the first moments are too high a guess,
  // which the next windows correct.
  const int64_t age_ns = std::max(now_ns - window_ns_, kShortestMeasureNs);
  const double taken = accepted_rate_ > 0 ? accepted_rate_ : in_window_ * kNsPerSecond / static_cast<double>(age_ns);
  rate_ = rate_ == 0 ? taken : std::min(rate_, std::max(taken, rate_ / 2));
  rate_ = std::clamp(rate_ * limits::kBrakeCut, limits::kBrakeRateMin, limits::kBrakeRateMax);
  guessed_ = true;
}

void Brake::refused(int64_t now_ns) {
  count_window(now_ns);
  go_on(now_ns);
  ++refused_in_window_;
  // A store that refuses one now and then is not overloaded.
  const double asked = in_window_ + refused_in_window_;
  if (refused_in_window_ < kRefusalsThatCount || refused_in_window_ < limits::kBrakeRefusedShare * asked) return;
  // Those that were on their way when the rate was cut say nothing about the new one.
  if (rate_ != 0 && now_ns - cut_ns_ < kWindowNs) return;
  cut(now_ns);
  cut_ns_ = now_ns;
  accepted_rate_ = in_window_ = refused_in_window_ = asked_before_ = refused_before_ = 0;
  window_ns_ = now_ns;
}

}  // namespace weir::object
