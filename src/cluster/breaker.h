#pragma once

#include <cstdint>

#include "base/limits.h"

namespace weir::cluster {

/// Stops asking a node that did not answer some times in a row, for a moment; then one attempt shows whether it does
/// again. This node's own opinion, never told to others. Thread rule: one thread at a time.
class Breaker {
 public:
  bool allows(int64_t now_ns) const { return now_ns >= open_until_ns_; }
  void succeeded() { failures_ = 0; }
  void failed(int64_t now_ns) {
    if (++failures_ < limits::kPeerFailures) return;
    int64_t pause_ms = limits::kPeerPauseMs;
    for (int i = limits::kPeerFailures; i < failures_ && pause_ms < limits::kPeerPauseMaxMs; ++i) pause_ms *= 2;
    if (pause_ms > limits::kPeerPauseMaxMs) pause_ms = limits::kPeerPauseMaxMs;
    open_until_ns_ = now_ns + pause_ms * 1'000'000;
  }

 private:
  int failures_ = 0;  // in a row
  int64_t open_until_ns_ = 0;
};

}  // namespace weir::cluster
