#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <string>

#include "base/clock.h"
#include "base/mutex.h"
#include "testing/s3/route.h"

namespace weir::testing::s3 {

/// What one object went through, whether its requests were answered well or not.
struct ObjectCounters {
  uint64_t puts = 0;            // requests to put it
  uint64_t puts_whole = 0;      // of which the whole body came
  uint64_t puts_done = 0;       // of which it became the object
  uint64_t bytes_received = 0;  // of bodies, whole and in part
  uint64_t gets = 0;
  uint64_t bytes_sent = 0;
};

/// One second of the server's life.
struct SecondCounters {
  int64_t second = 0;  // since the counters began
  uint64_t accepted = 0;
  uint64_t slowed_down = 0;  // refused by the rate
  uint64_t bytes_in = 0;
  uint64_t bytes_out = 0;
};

struct CounterValues {
  std::map<std::string, uint64_t> requests;       // by operation
  std::map<std::string, uint64_t> answers;        // by status and, for errors, code: "200", "503 SlowDown"; "none"
  std::map<std::string, ObjectCounters> objects;  // by bucket/key
  std::deque<SecondCounters> seconds;  // those in which anything happened, the last limits::kTestServerSeconds
  uint64_t bytes_in = 0;               // of bodies
  uint64_t bytes_out = 0;
  uint64_t proxied = 0;      // requests that came as to a proxy
  uint64_t at_once = 0;      // requests in the server's hands now
  uint64_t at_once_max = 0;  // most of them
};

/// Thread-safe; blocks nowhere.
class Counters {
 public:
  explicit Counters(const Clock& clock);

  void begin(const Route& route, bool proxied);
  void received(const Route& route, uint64_t bytes);
  void received_whole(const Route& route);
  void sent(const Route& route, uint64_t bytes);
  /// How the request ended. `answer` as in CounterValues.
  void end(const Route& route, const std::string& answer, bool put_done, bool slowed_down);

  CounterValues values() const;
  ObjectCounters object(const std::string& bucket_and_key) const;
  void reset();

 private:
  SecondCounters& second() REQUIRES(mutex_);

  const Clock& clock_;
  mutable Mutex mutex_;
  int64_t began_ns_ GUARDED_BY(mutex_);
  CounterValues values_ GUARDED_BY(mutex_);
};

}  // namespace weir::testing::s3
