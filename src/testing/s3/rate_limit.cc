#include "testing/s3/rate_limit.h"

#include <algorithm>

namespace weir::testing::s3 {

void RateLimit::set(const Rates& rates) {
  MutexLock lock(mutex_);
  rates_ = rates;
  const double burst_seconds = static_cast<double>(rates.burst_ms) / 1e3;
  requests_ = std::max(1.0, rates.requests_per_second * burst_seconds);
  bytes_ = rates.bytes_per_second * burst_seconds;
  filled_ns_ = clock_.monotonic_ns();
}

void RateLimit::refill() {
  const int64_t now_ns = clock_.monotonic_ns();
  const double seconds = static_cast<double>(now_ns - filled_ns_) / 1e9;
  const double burst_seconds = static_cast<double>(rates_.burst_ms) / 1e3;
  filled_ns_ = now_ns;
  requests_ = std::min(requests_ + seconds * rates_.requests_per_second,
                       std::max(1.0, rates_.requests_per_second * burst_seconds));
  bytes_ = std::min(bytes_ + seconds * rates_.bytes_per_second, rates_.bytes_per_second * burst_seconds);
}

bool RateLimit::admit(uint64_t bytes) {
  MutexLock lock(mutex_);
  refill();
  const bool requests_limited = rates_.requests_per_second > 0;
  const bool bytes_limited = rates_.bytes_per_second > 0;
  if ((requests_limited && requests_ < 1) || (bytes_limited && bytes_ <= 0)) return false;
  if (requests_limited) requests_ -= 1;
  if (bytes_limited) bytes_ -= static_cast<double>(bytes);
  return true;
}

void RateLimit::charge(uint64_t bytes) {
  MutexLock lock(mutex_);
  if (rates_.bytes_per_second > 0) bytes_ -= static_cast<double>(bytes);
}

}  // namespace weir::testing::s3
