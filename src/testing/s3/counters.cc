#include "testing/s3/counters.h"

#include <algorithm>

#include "base/limits.h"

namespace weir::testing::s3 {
namespace {

bool is_of_object(const Route& route) {
  return route.operation == Operation::kPutObject || route.operation == Operation::kGetObject;
}

std::string name_of(const Route& route) { return route.bucket + "/" + route.key; }

}  // namespace

Counters::Counters(const Clock& clock) : clock_(clock), began_ns_(clock.monotonic_ns()) {}

SecondCounters& Counters::second() {
  const int64_t now = (clock_.monotonic_ns() - began_ns_) / 1'000'000'000;
  if (values_.seconds.empty() || values_.seconds.back().second != now) values_.seconds.push_back({.second = now});
  if (values_.seconds.size() > limits::kTestServerSeconds) values_.seconds.pop_front();
  return values_.seconds.back();
}

void Counters::begin(const Route& route, bool proxied) {
  MutexLock lock(mutex_);
  values_.requests[std::string(s3::name_of(route.operation))]++;
  values_.at_once_max = std::max(values_.at_once_max, ++values_.at_once);
  if (proxied) values_.proxied++;
  if (route.operation == Operation::kPutObject) values_.objects[name_of(route)].puts++;
  if (route.operation == Operation::kGetObject) values_.objects[name_of(route)].gets++;
}

void Counters::received(const Route& route, uint64_t bytes) {
  MutexLock lock(mutex_);
  values_.bytes_in += bytes;
  second().bytes_in += bytes;
  if (is_of_object(route)) values_.objects[name_of(route)].bytes_received += bytes;
}

void Counters::received_whole(const Route& route) {
  MutexLock lock(mutex_);
  if (route.operation == Operation::kPutObject) values_.objects[name_of(route)].puts_whole++;
}

void Counters::sent(const Route& route, uint64_t bytes) {
  MutexLock lock(mutex_);
  values_.bytes_out += bytes;
  second().bytes_out += bytes;
  if (is_of_object(route)) values_.objects[name_of(route)].bytes_sent += bytes;
}

void Counters::end(const Route& route, const std::string& answer, bool put_done, bool slowed_down) {
  MutexLock lock(mutex_);
  values_.answers[answer]++;
  values_.at_once--;
  if (put_done) values_.objects[name_of(route)].puts_done++;
  if (slowed_down) {
    second().slowed_down++;
  } else {
    second().accepted++;
  }
}

CounterValues Counters::values() const {
  MutexLock lock(mutex_);
  return values_;
}

ObjectCounters Counters::object(const std::string& bucket_and_key) const {
  MutexLock lock(mutex_);
  const auto at = values_.objects.find(bucket_and_key);
  return at == values_.objects.end() ? ObjectCounters() : at->second;
}

void Counters::reset() {
  MutexLock lock(mutex_);
  const uint64_t at_once = values_.at_once;
  values_ = CounterValues{};
  values_.at_once = values_.at_once_max = at_once;
  began_ns_ = clock_.monotonic_ns();
}

}  // namespace weir::testing::s3
