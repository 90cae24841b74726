#pragma once

#include <cstdint>

namespace weir::object {

/// Finds the rate at which a store takes requests, by its own refusals: the first one sets it below what the store took
/// lately, every further one lowers it, and in between it grows slowly, since the store may take more by now; fast,
/// until the next refusal, when many were refused and it can only guess. So nearly all of the store's rate is used, and
/// few requests are in vain, also where the store takes one a second and lends nothing. No limit before the first
/// refusal, and again when there was none for long. The numbers are in base/limits.h (kBrake…).
///
/// No I/O and no clock: times are passed in; one that is before the last counts as that. Thread rule: the caller's
/// lock.
class Brake {
 public:
  /// The place of the next request in the queue.
  double take_turn() { return next_turn_++; }
  /// The place of a request that the store refused: before all that still wait, where these wait for long.
  double take_turn_again();
  /// How long that request has to wait from now on; 0: it goes. Ask again after the wait, or a tenth of a
  /// second if it is longer: the rate may be another then.
  int64_t wait_ns(double turn, int64_t now_ns);
  /// The store took a request, whatever became of it.
  void accepted(int64_t now_ns);
  /// The store refused one, because there were too many. A few now and then change nothing.
  void refused(int64_t now_ns);

  /// Requests a second; 0: no limit.
  double rate() const { return rate_; }

 private:
  void count_window(int64_t now_ns);
  void go_on(int64_t now_ns);
  void cut(int64_t now_ns);
  double growth_per_second(int64_t now_ns) const;

  double rate_ = 0;
  bool guessed_ = false;  // the rate may be far below the store's
  double next_turn_ = 0;
  double turn_ = 0;  // those before it may go
  int64_t now_ns_ = 0;
  int64_t cut_ns_ = 0;
  int64_t window_ns_ = 0;  // its begin
  double in_window_ = 0;   // accepted since then
  double refused_in_window_ = 0;
  double accepted_rate_ = 0;  // of the window before, if the rate was not cut since
  double asked_before_ = 0;   // in that window
  double refused_before_ = 0;
};

}  // namespace weir::object
