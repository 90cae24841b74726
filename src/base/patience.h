#pragma once

#include <functional>

#include "base/result.h"

namespace weir {

/// What the calls of a thread do instead of waiting on for a server that is out of reach. By default they wait. An
/// object sets it for its thread while it lives; what was set before is back afterwards.
class Patience {
 public:
  /// Success: wait on. Otherwise what the call fails with: OutOfReach, for the caller to have it done again by a thread
  /// that may wait; or Interrupted, since the program was killed. Asked many times a second.
  using Ask = std::function<Status()>;

  explicit Patience(Ask ask);
  ~Patience();
  Patience(const Patience&) = delete;
  Patience& operator=(const Patience&) = delete;

  /// Of the calling thread; null: the default.
  static const Patience* of_this_thread();
  /// What the calling thread shall do.
  static Status ask() { return ask(of_this_thread()); }
  static Status ask(const Patience* patience) { return patience == nullptr ? Status() : patience->ask_(); }

 private:
  const Ask ask_;
  const Patience* const before_;
};

}  // namespace weir
