#pragma once

#include <memory>
#include <string>
#include <vector>

#include "kv/postgres/postgres_statement.h"
#include "kv/postgres/postgres_url.h"

struct pg_conn;

namespace weir::kv {

/// One connection to a PostgreSQL server, or to a transaction pooler before it: leaves no state in the session.
/// Thread rule: one thread at a time.
class PostgresConnection {
 public:
  /// Blocks: at most limits::kPostgresConnectSeconds for each address. Unavailable, Access, NotFound (no such
  /// database).
  static Result<std::unique_ptr<PostgresConnection>> connect(const PostgresUrl& url);
  ~PostgresConnection();

  /// Sends all statements at once and waits for all replies: one round trip. They are one SQL transaction, unless BEGIN
  /// and COMMIT among them say otherwise. Rows of each statement, in order, or the first error: Conflict when it lost
  /// against another transaction, Unavailable when the connection is lost(), else by the server's error class.
  /// Blocks: at most limits::kPostgresReplyMs, then gives the connection up.
  Result<std::vector<PostgresRows>> run(const std::vector<PostgresStatement>& statements);

  /// The connection broke: the server may or may not have done what it was asked last.
  bool lost() const { return lost_; }
  /// Looks, without waiting, whether the server has hung up meanwhile.
  bool hung_up();

 private:
  PostgresConnection(pg_conn* connection, std::string server) : connection_(connection), server_(std::move(server)) {}

  Status send(const std::vector<PostgresStatement>& statements);
  /// Waits until the next result can be taken without blocking.
  Status await_result(int64_t deadline_ns);
  Result<std::vector<PostgresRows>> collect(size_t statements, int64_t deadline_ns);
  Failure give_up(const std::string& why);

  pg_conn* const connection_;
  const std::string server_;
  bool lost_ = false;
};

}  // namespace weir::kv
