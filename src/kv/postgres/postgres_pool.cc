#include "kv/postgres/postgres_pool.h"

#include <algorithm>

#include "base/check.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/patience.h"

namespace weir::kv {

PostgresPool::~PostgresPool() {
  MutexLock lock(mutex_);
  CHECK(leased_ == 0);
}

Result<PostgresPool::Lease> PostgresPool::checkout(Use use) {
  ASSIGN_OR_RETURN(std::unique_ptr<PostgresConnection> connection, take(use));
  if (!connection) {
    Result<std::unique_ptr<PostgresConnection>> opened = connect();
    if (!opened) {
      give_up_one(use);
      return Failure(std::move(opened).error());
    }
    connection = std::move(*opened);
  }
  return Lease(*this, use, std::move(connection));
}

Result<std::unique_ptr<PostgresConnection>> PostgresPool::take(Use use) {
  const int64_t begun_ns = SystemClock().monotonic_ns();
  MutexLock lock(mutex_);
  while (!may_take(use)) {
    const int64_t waited_ms = (SystemClock().monotonic_ns() - begun_ns) / 1'000'000;
    const int64_t left_ms = checkout_limit_ms() - waited_ms;
    if (left_ms <= 0)
      return error(Code::kUnavailable, "all {} connections to {} were in use for {} ms", limits::kPostgresConnections,
                   url_.server, waited_ms);
    // Now and then, since the limit depends on whether the server is in reach.
    const bool away = patient_ && out_of_reach_since_ns_ != 0;
    if (away) TRY(Patience::ask());
    returned_.wait_for_ms(mutex_, std::min(left_ms, away ? limits::kPostgresReconnectMs : limits::kPostgresLookMs));
  }
  ++leased_;
  if (use == Use::kFence) ++fencing_;
  while (!idle_.empty()) {
    std::unique_ptr<PostgresConnection> connection = std::move(idle_.back());
    idle_.pop_back();
    if (!connection->hung_up()) return connection;
  }
  return std::unique_ptr<PostgresConnection>();
}

void PostgresPool::stop_waiting() {
  // Who tries to connect looks at this between two attempts.
  patient_ = false;
  MutexLock lock(mutex_);
  returned_.notify_all();
}

int64_t PostgresPool::server_away_ms() const {
  MutexLock lock(mutex_);
  if (out_of_reach_since_ns_ == 0) return 0;
  return std::max<int64_t>(1, (SystemClock().monotonic_ns() - out_of_reach_since_ns_) / 1'000'000);
}

int64_t PostgresPool::checkout_limit_ms() const {
  return patient_ && out_of_reach_since_ns_ != 0 ? limits::kOutageMs : limits::kPostgresCheckoutMs;
}

Result<std::unique_ptr<PostgresConnection>> PostgresPool::connect() {
  SystemClock clock;
  const int64_t deadline_ns = clock.monotonic_ns() + limits::kOutageMs * 1'000'000;
  for (;;) {
    if (patient_) TRY(Patience::ask());  // an attempt alone may take long
    auto connection = PostgresConnection::connect(url_);
    if (!connection && connection.error().code != Code::kUnavailable) return connection;
    note_outage(connection ? nullptr : &connection.error());
    if (connection || !patient_ || clock.monotonic_ns() >= deadline_ns) return connection;
    clock.sleep_ms(limits::kPostgresReconnectMs);
  }
}

void PostgresPool::note_outage(const Error* problem) {
  const int64_t now_ns = SystemClock().monotonic_ns();
  MutexLock lock(mutex_);
  if (!patient_ || (problem != nullptr) == (out_of_reach_since_ns_ != 0)) return;
  if (problem != nullptr) {
    log::warning("metadata is out of reach, operations wait up to {} s for it: {}", limits::kOutageMs / 1000,
                 problem->what);
    out_of_reach_since_ns_ = now_ns;
  } else {
    log::info("metadata on {} is in reach again after {:.1f} s", url_.server,
              static_cast<double>(now_ns - out_of_reach_since_ns_) / 1e9);
    out_of_reach_since_ns_ = 0;
  }
}

bool PostgresPool::may_take(Use use) const {
  return leased_ < limits::kPostgresConnections && (use == Use::kCall || fencing_ < limits::kPostgresFencers);
}

void PostgresPool::give_back(Use use, std::unique_ptr<PostgresConnection> connection) {
  MutexLock lock(mutex_);
  CHECK(leased_ > 0);
  --leased_;
  if (use == Use::kFence) --fencing_;
  if (!connection->lost()) idle_.push_back(std::move(connection));
  // All: the one that is woken may be waiting for the right to a fence, which there may be none of.
  returned_.notify_all();
}

void PostgresPool::give_up_one(Use use) {
  MutexLock lock(mutex_);
  --leased_;
  if (use == Use::kFence) --fencing_;
  returned_.notify_all();
}

}  // namespace weir::kv
