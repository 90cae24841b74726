#pragma once

#include <cstdint>

#include "base/clock.h"
#include "base/mutex.h"

namespace weir::testing::s3 {

/// Token buckets for requests and for bytes of bodies; what is beyond them is told to slow down. A refused request
/// costs nothing. Thread-safe; blocks nowhere.
class RateLimit {
 public:
  /// 0: no limit of that kind. A bucket holds what a `burst_ms` long pause earns.
  struct Rates {
    double requests_per_second = 0;
    double bytes_per_second = 0;
    int64_t burst_ms = 1000;
  };

  explicit RateLimit(const Clock& clock) : clock_(clock) {}

  /// Both buckets are full then.
  void set(const Rates& rates);
  /// Takes one request of `bytes` off both buckets, or returns false. A request is let in when there are any bytes
  /// left, whatever it costs, or else none above the burst ever could.
  bool admit(uint64_t bytes);
  /// Bytes that turn out to be sent after all: the bucket may sink below nothing.
  void charge(uint64_t bytes);

 private:
  void refill() REQUIRES(mutex_);

  const Clock& clock_;
  Mutex mutex_;
  Rates rates_ GUARDED_BY(mutex_);
  double requests_ GUARDED_BY(mutex_) = 0;
  double bytes_ GUARDED_BY(mutex_) = 0;
  int64_t filled_ns_ GUARDED_BY(mutex_) = 0;
};

}  // namespace weir::testing::s3
