#include "fuse/spin_gate.h"

#include <algorithm>
#include <cstdlib>
#include <thread>

namespace weir::fuse {

namespace {

constexpr int64_t kLookEveryNs = 1'000'000'000;
constexpr int kCreditMax = 4;
constexpr int kSkipped = 16;

}  // namespace

// The client and one spinner keep two cores busy by themselves.
SpinGate::SpinGate(int64_t spin_ns, int spinners_max)
    : spin_ns_(spin_ns), spinners_max_(spinners_max), load_max_(std::thread::hardware_concurrency() + 0.5) {}

bool SpinGate::cores_are_busy(int64_t now_ns) {
  int64_t look_ns = next_look_ns_.load(std::memory_order_relaxed);
  if (now_ns >= look_ns && next_look_ns_.compare_exchange_strong(look_ns, now_ns + kLookEveryNs)) {
    double load = 0;
    busy_.store(::getloadavg(&load, 1) == 1 && load > load_max_, std::memory_order_relaxed);
  }
  return busy_.load(std::memory_order_relaxed);
}

bool SpinGate::enter(int64_t now_ns) {
  if (spin_ns_ == 0 || cores_are_busy(now_ns)) return false;
  if (spinners_.fetch_add(1, std::memory_order_relaxed) < spinners_max_) return true;
  leave();
  return false;
}

bool SpinRecord::worth_trying() {
  if (credit_ > 0) return true;
  if (++skipped_ < kSkipped) return false;
  skipped_ = 0;
  return true;
}

void SpinRecord::add(bool found) { credit_ = std::clamp(credit_ + (found ? 1 : -1), 0, kCreditMax); }

}  // namespace weir::fuse
