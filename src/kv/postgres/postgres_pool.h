#pragma once

#include <atomic>
#include <memory>
#include <vector>

#include "base/mutex.h"
#include "kv/postgres/postgres_connection.h"

namespace weir::kv {

/// At most limits::kPostgresConnections connections to one database, opened when needed. Thread-safe.
class PostgresPool {
 public:
  explicit PostgresPool(PostgresUrl url) : url_(std::move(url)) {}
  /// Requires: all leases are gone.
  ~PostgresPool();

  enum class Use {
    kCall,   // one round trip: nobody is waited for meanwhile
    kFence,  // a SQL transaction, during which its owner may want a connection for a call: limits::kPostgresFencers
  };

  /// A connection for one user; the destructor gives it back, or closes it when it is lost.
  class Lease {
   public:
    Lease(PostgresPool& pool, Use use, std::unique_ptr<PostgresConnection> connection)
        : pool_(&pool), use_(use), connection_(std::move(connection)) {}
    Lease(Lease&&) = default;
    Lease& operator=(Lease&&) = delete;
    ~Lease() {
      if (connection_) pool_->give_back(use_, std::move(connection_));
    }
    PostgresConnection* operator->() const { return connection_.get(); }
    /// It is closed, not given back: the server ends whatever it was in the middle of.
    void discard() {
      connection_.reset();
      pool_->give_up_one(use_);
    }

   private:
    PostgresPool* pool_;
    Use use_;
    std::unique_ptr<PostgresConnection> connection_;
  };

  /// Blocks: while all are in use, at most limits::kPostgresCheckoutMs, then Unavailable; and for connecting. While the
  /// server is out of reach, at most limits::kOutageMs, if the pool is patient and the thread's Patience has no end.
  Result<Lease> checkout(Use use = Use::kCall);
  /// From now on who needs the server waits for it, since it was there.
  void be_patient() { patient_ = true; }
  /// Nobody waits any more, and nobody will.
  void stop_waiting();
  /// 0: the server is in reach, as far as is known.
  int64_t server_away_ms() const;
  const PostgresUrl& url() const { return url_; }

 private:
  void give_back(Use use, std::unique_ptr<PostgresConnection> connection);
  /// Waits for the right to one connection, and takes an idle one with it when there is.
  Result<std::unique_ptr<PostgresConnection>> take(Use use);
  void give_up_one(Use use);
  /// Tries until it succeeds or must not wait any longer.
  Result<std::unique_ptr<PostgresConnection>> connect();
  /// Says once that the server is out of reach, and once that it is back.
  void note_outage(const Error* problem);
  int64_t checkout_limit_ms() const REQUIRES(mutex_);
  bool may_take(Use use) const REQUIRES(mutex_);

  const PostgresUrl url_;
  mutable Mutex mutex_;
  ConditionVariable returned_;
  std::vector<std::unique_ptr<PostgresConnection>> idle_ GUARDED_BY(mutex_);
  /// In use or being opened.
  size_t leased_ GUARDED_BY(mutex_) = 0;
  size_t fencing_ GUARDED_BY(mutex_) = 0;                 // of them
  int64_t out_of_reach_since_ns_ GUARDED_BY(mutex_) = 0;  // 0: it is in reach
  std::atomic<bool> patient_ = false;
};

}  // namespace weir::kv
