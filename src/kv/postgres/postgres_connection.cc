#include "kv/postgres/postgres_connection.h"

#include <libpq-fe.h>
#include <poll.h>

#include <cerrno>
#include <optional>

#include "base/check.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "kv/postgres/postgres_error.h"

namespace weir::kv {
namespace {

constexpr int kBinary = 1;

int64_t now_ns() { return SystemClock().monotonic_ns(); }

/// What the server says beside results, such as that a schema exists already, is no matter of the user's.
void log_notice(void*, const char* message) { log::debug("postgres: {}", one_line(message)); }

std::string_view field(const PGresult* result, int code) {
  const char* value = PQresultErrorField(result, code);
  return value != nullptr ? value : "";
}

}  // namespace

Result<std::unique_ptr<PostgresConnection>> PostgresConnection::connect(const PostgresUrl& url) {
  const std::string seconds = std::to_string(limits::kPostgresConnectSeconds);
  const std::string reply_ms = std::to_string(limits::kPostgresReplyMs);
  // Of a keyword given twice the last counts: the user's URL overrides these.
  const char* const keywords[] = {"connect_timeout",           "tcp_user_timeout", "keepalives_idle",
                                  "fallback_application_name", "dbname",           nullptr};
  const char* const values[] = {seconds.c_str(), reply_ms.c_str(), "15", "weir", url.for_libpq.c_str(), nullptr};
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
  return connection;
}

PostgresConnection::~PostgresConnection() { PQfinish(connection_); }

Result<std::vector<PostgresRows>> PostgresConnection::run(const std::vector<PostgresStatement>& statements) {
  if (lost_) return error(Code::kUnavailable, "the connection to {} is lost", server_);
  const int64_t deadline_ns = now_ns() + limits::kPostgresReplyMs * 1'000'000;
  TRY(send(statements));
  return collect(statements.size(), deadline_ns);
}

Status PostgresConnection::send(const std::vector<PostgresStatement>& statements) {
  for (const PostgresStatement& statement : statements) {
    std::vector<const char*> values;
    std::vector<int> lengths, formats;
    for (const Bytes& parameter : statement.parameters()) {
      values.push_back(parameter.data());
      lengths.push_back(static_cast<int>(parameter.size()));
      formats.push_back(kBinary);
    }
    if (PQsendQueryParams(connection_, statement.sql().c_str(), static_cast<int>(values.size()),
                          statement.types().data(), values.data(), lengths.data(), formats.data(), kBinary) != 1)
      return give_up(PQerrorMessage(connection_));
  }
  if (PQpipelineSync(connection_) != 1) return give_up(PQerrorMessage(connection_));
  return {};
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

Result<std::vector<PostgresRows>> PostgresConnection::collect(size_t statements, int64_t deadline_ns) {
  std::vector<PostgresRows> rows;
  rows.reserve(statements);
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
      case PGRES_COMMAND_OK: rows.push_back(std::move(taken)); break;
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
        if (!failure) failure = Error{code_of_sqlstate(field(result, PG_DIAG_SQLSTATE)), server_ + ": " + reason};
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
