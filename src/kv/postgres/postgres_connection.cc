#include "kv/postgres/postgres_connection.h"

#include <libpq-fe.h>
#include <poll.h>

#include <algorithm>
#include <cerrno>
#include <optional>

#include "base/check.h"
#include "base/clock.h"
#include "base/hex.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/sha256.h"
#include "kv/postgres/postgres_error.h"

namespace weir::kv {
namespace {

constexpr int kBinary = 1;
constexpr std::string_view kNoSuchStatement = "26000";
constexpr std::string_view kStatementExists = "42P05";

int64_t now_ns() { return SystemClock().monotonic_ns(); }

/// What the server says beside results, such as that a schema exists already, is no matter of the user's.
void log_notice(void*, const char* message) { log::debug("postgres: {}", one_line(message)); }

/// By the text, so that whoever else uses the session means the same by it.
std::string name_of(const std::string& sql) {
  const Sha256Digest digest = sha256(sql);
  return "weir_" + to_hex({reinterpret_cast<const char*>(digest.data()), 12});
}

std::string_view field(const PGresult* result, int code) {
  const char* value = PQresultErrorField(result, code);
  return value != nullptr ? value : "";
}

}  // namespace

Result<std::unique_ptr<PostgresConnection>> PostgresConnection::connect(const PostgresUrl& url) {
  const std::string seconds = std::to_string(limits::kPostgresConnectSeconds);
  const std::string reply_ms = std::to_string(limits::kPostgresReplyMs);
  // Of a keyword given twice the last counts: the user's URL overrides these.
  const char* const keywords[] = {"connect_timeout",
                                  "tcp_user_timeout",
                                  "keepalives_idle",
                                  "target_session_attrs",
                                  "fallback_application_name",
                                  "dbname",
                                  nullptr};
  const char* const values[] = {seconds.c_str(), reply_ms.c_str(),      "15",   "read-write",
                                "weir",          url.for_libpq.c_str(), nullptr};
  pg_conn* raw = PQconnectdbParams(keywords, values, 1);
  CHECK(raw != nullptr);
  std::unique_ptr<PostgresConnection> connection(new PostgresConnection(raw, url.server));
  if (PQstatus(raw) != CONNECTION_OK) {
    const std::string reason = one_line(PQerrorMessage(raw));
    return error(code_of_connect_failure(reason), "cannot open database {} on {}: {}", url.database, url.server,
                 reason);
  }
  PQsetNoticeProcessor(raw, log_notice, nullptr);
  if (PQsetnonblocking(raw, 1) != 0 || PQenterPipelineMode(raw) != 1) return connection->give_up("cannot be set up");
  TRY(connection->set_up());
  return connection;
}

Status PostgresConnection::set_up() {
  PostgresStatement who("SELECT pg_backend_pid()");
  ASSIGN_OR_RETURN(std::vector<PostgresRows> rows, run({who}));
  if (rows.front().integer(0, 0) != PQbackendPID(connection_)) return {};
  // Rows are always found by the index, also in plans that were made while a table was small.
  TRY(run({PostgresStatement(
      fmt::format("SELECT set_config('statement_timeout', '{}', false), set_config('lock_timeout', '{}', false),"
                  " set_config('idle_in_transaction_session_timeout', '{}', false),"
                  " set_config('plan_cache_mode', 'force_generic_plan', false), set_config('jit', 'off', false),"
                  " set_config('enable_seqscan', 'off', false), set_config('enable_bitmapscan', 'off', false),"
                  " set_config('enable_hashjoin', 'off', false), set_config('enable_mergejoin', 'off', false)",
                  limits::kPostgresStatementMs, limits::kFenceWaitMs, limits::kPostgresFenceIdleMs))}));
  pooled_ = false;
  return {};
}

PostgresConnection::~PostgresConnection() { PQfinish(connection_); }

Result<std::vector<PostgresRows>> PostgresConnection::run(const std::vector<PostgresStatement>& statements) {
  if (lost_) return error(Code::kUnavailable, "the connection to {} is lost", server_);
  auto rows = run_once(statements);
  if (!rows && foreign_session_ && !pooled_) {
    pooled_ = true;
    // Nothing was done, unless a SQL transaction had begun before, whose end is its owner's matter.
    if (PQtransactionStatus(connection_) == PQTRANS_IDLE) return run_once(statements);
  }
  return rows;
}

Result<std::vector<PostgresRows>> PostgresConnection::run_once(const std::vector<PostgresStatement>& statements) {
  const int64_t deadline_ns = now_ns() + limits::kPostgresReplyMs * 1'000'000;
  foreign_session_ = false;
  TRY(send(statements));
  return collect(deadline_ns);
}

Status PostgresConnection::send(const std::vector<PostgresStatement>& statements) {
  sent_.clear();
  for (const PostgresStatement& statement : statements)
    if (!send_one(statement)) return give_up(PQerrorMessage(connection_));
  if (PQpipelineSync(connection_) != 1) return give_up(PQerrorMessage(connection_));
  return {};
}

bool PostgresConnection::send_one(const PostgresStatement& statement) {
  std::vector<const char*> values;
  std::vector<int> lengths, formats;
  for (const Bytes& parameter : statement.parameters()) {
    values.push_back(parameter.data());
    lengths.push_back(static_cast<int>(parameter.size()));
    formats.push_back(kBinary);
  }
  const int count = static_cast<int>(values.size());
  if (pooled_ || !statement.is_repeated()) {
    sent_.push_back(nullptr);
    return PQsendQueryParams(connection_, statement.sql().c_str(), count, statement.types().data(), values.data(),
                             lengths.data(), formats.data(), kBinary) == 1;
  }
  Prepared& prepared = prepared_[statement.sql()];
  if (prepared.name.empty()) prepared.name = name_of(statement.sql());
  const std::string& name = prepared.name;
  if (!prepared.ready && std::find(sent_.begin(), sent_.end(), &prepared) == sent_.end()) {
    sent_.push_back(&prepared);
    if (PQsendPrepare(connection_, name.c_str(), statement.sql().c_str(), count, statement.types().data()) != 1)
      return false;
  }
  sent_.push_back(nullptr);
  return PQsendQueryPrepared(connection_, name.c_str(), count, values.data(), lengths.data(), formats.data(),
                             kBinary) == 1;
}

Status PostgresConnection::await_result(int64_t deadline_ns) {
  int unsent = PQflush(connection_);
  while (unsent == 1 || (unsent == 0 && PQisBusy(connection_) == 1)) {
    const int64_t left_ns = deadline_ns - now_ns();
    if (left_ns <= 0) return give_up(fmt::format("no reply within {} ms", limits::kPostgresReplyMs));
    struct pollfd wait {
      PQsocket(connection_), static_cast<short>(POLLIN | (unsent == 1 ? POLLOUT : 0)), 0
    };
    if (::poll(&wait, 1, static_cast<int>(left_ns / 1'000'000 + 1)) < 0 && errno != EINTR)
      return give_up("poll failed");
    // A broken connection is told by the results that come next.
    if (PQconsumeInput(connection_) != 1) break;
    unsent = PQflush(connection_);
  }
  return {};
}

Result<std::vector<PostgresRows>> PostgresConnection::collect(int64_t deadline_ns) {
  std::vector<PostgresRows> rows;
  rows.reserve(sent_.size());
  size_t answered = 0;
  std::optional<Error> failure;
  for (;;) {
    TRY(await_result(deadline_ns));
    PGresult* result = PQgetResult(connection_);
    if (result == nullptr) {
      // Between two statements; after a loss there would be no end of it.
      if (PQstatus(connection_) == CONNECTION_BAD) return give_up(PQerrorMessage(connection_));
      continue;
    }
    PostgresRows taken(result);
    switch (PQresultStatus(result)) {
      case PGRES_TUPLES_OK:
      case PGRES_COMMAND_OK:
        CHECK(answered < sent_.size());
        if (sent_[answered] == nullptr)
          rows.push_back(std::move(taken));
        else
          sent_[answered]->ready = true;
        ++answered;
        break;
      case PGRES_PIPELINE_ABORTED: break;
      case PGRES_PIPELINE_SYNC:
        // Only now has the server committed.
        if (failure) return Failure(std::move(*failure));
        return rows;
      default: {
        const std::string_view severity = field(result, PG_DIAG_SEVERITY_NONLOCALIZED);
        const std::string_view primary = field(result, PG_DIAG_MESSAGE_PRIMARY);
        const std::string reason = one_line(primary.empty() ? PQresultErrorMessage(result) : primary);
        if (severity != "ERROR" || PQstatus(connection_) == CONNECTION_BAD) return give_up(reason);
        const std::string_view state = field(result, PG_DIAG_SQLSTATE);
        foreign_session_ = state == kNoSuchStatement || state == kStatementExists;
        if (!failure) failure = Error{code_of_sqlstate(state), server_ + ": " + reason};
      }
    }
  }
}

bool PostgresConnection::hung_up() {
  struct pollfd look {
    PQsocket(connection_), POLLIN, 0
  };
  // A server that was asked nothing says nothing, unless it says good-bye.
  if (!lost_ && ::poll(&look, 1, 0) > 0) lost_ = true;
  return lost_;
}

Failure PostgresConnection::give_up(const std::string& why) {
  lost_ = true;
  return error(Code::kUnavailable, "lost the connection to {}: {}", server_, one_line(why));
}

}  // namespace weir::kv
