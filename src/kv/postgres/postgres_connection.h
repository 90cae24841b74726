#pragma once

#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "kv/postgres/postgres_statement.h"
#include "kv/postgres/postgres_url.h"

struct pg_conn;

namespace weir::kv {

/// One connection to a PostgreSQL server, or to a transaction pooler before it, which is told by the server's process
/// id not being what the pooler said. Through a pooler nothing is left in the session: no settings, and no prepared
/// statements. A session of its own has both (docs/postgresql.md).
/// Thread rule: one thread at a time.
class PostgresConnection {
 public:
  /// Of several hosts in the URL, the first that takes writes.
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
  /// Several connections of clients share the session: statements bring the timeouts along that they need.
  bool pooled() const { return pooled_; }

 private:
  PostgresConnection(pg_conn* connection, std::string server) : connection_(connection), server_(std::move(server)) {}

  Status set_up();
  Status send(const std::vector<PostgresStatement>& statements);
  /// Also has it prepared where that pays and was not done before.
  bool send_one(const PostgresStatement& statement);
  /// Waits until the next result can be taken without blocking.
  Status await_result(int64_t deadline_ns);
  Result<std::vector<PostgresRows>> collect(int64_t deadline_ns);
  Result<std::vector<PostgresRows>> run_once(const std::vector<PostgresStatement>& statements);
  Failure give_up(const std::string& why);

  pg_conn* const connection_;
  const std::string server_;
  bool lost_ = false;
  bool pooled_ = true;  // until it is known
  struct Prepared {
    std::string name;
    bool ready = false;  // the session has it
  };
  std::unordered_map<std::string, Prepared> prepared_;  // by text
  /// What was sent and not answered, in order: a statement being prepared, or null for one that is run.
  std::vector<Prepared*> sent_;
  /// A statement that was prepared is not there: somebody between exchanges sessions after all.
  bool foreign_session_ = false;
};

}  // namespace weir::kv
