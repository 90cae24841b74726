#include "kv/postgres/postgres_pool.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/limits.h"

namespace weir::kv {

PostgresPool::~PostgresPool() {
  MutexLock lock(mutex_);
  CHECK(leased_ == 0);
}

Result<PostgresPool::Lease> PostgresPool::checkout(Use use) {
  ASSIGN_OR_RETURN(std::unique_ptr<PostgresConnection> connection, take(use));
  if (!connection) {
    Result<std::unique_ptr<PostgresConnection>> opened = PostgresConnection::connect(url_);
    if (!opened) {
      give_up_one(use);
      return Failure(std::move(opened).error());
    }
    connection = std::move(*opened);
  }
  return Lease(*this, use, std::move(connection));
}

Result<std::unique_ptr<PostgresConnection>> PostgresPool::take(Use use) {
  const int64_t deadline_ns = SystemClock().monotonic_ns() + limits::kPostgresCheckoutMs * 1'000'000;
  MutexLock lock(mutex_);
  while (!may_take(use)) {
    const int64_t left_ns = deadline_ns - SystemClock().monotonic_ns();
    if (left_ns <= 0)
      return error(Code::kUnavailable, "all {} connections to {} were in use for {} ms", limits::kPostgresConnections,
                   url_.server, limits::kPostgresCheckoutMs);
    returned_.wait_for_ms(mutex_, left_ns / 1'000'000 + 1);
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
