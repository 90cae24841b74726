#include "kv/postgres/postgres_transaction.h"

#include <algorithm>

#include "base/check.h"
#include "base/limits.h"
#include "kv/postgres/postgres_commit.h"

namespace weir::kv {
namespace {

/// For the statements that follow in the same SQL transaction; nothing stays in the session.
PostgresStatement timeouts(int64_t lock_ms) {
  return PostgresStatement(
      fmt::format("SELECT set_config('statement_timeout', '{}', true), set_config('lock_timeout', '{}', true),"
                  " set_config('idle_in_transaction_session_timeout', '{}', true)",
                  limits::kPostgresStatementMs, lock_ms, limits::kPostgresFenceIdleMs));
}

PostgresStatement sql(const char* text) { return PostgresStatement(text); }

Value value_of(const PostgresRows& rows, size_t row) {
  return {Bytes(rows.bytes(row, 1)), static_cast<Version>(rows.integer(row, 2))};
}

}  // namespace

Result<PostgresRows> PostgresTransaction::read(PostgresStatement statement) {
  // Without timeouts of their own, which would cost a fifth of the round trip: a read waits for no lock, and a fencing
  // SQL transaction has them already.
  const std::vector<PostgresStatement> statements = {std::move(statement)};
  if (fencing_) {
    ASSIGN_OR_RETURN(std::vector<PostgresRows> rows, (*fencing_)->run(statements));
    return std::move(rows.back());
  }
  ASSIGN_OR_RETURN(PostgresPool::Lease first, pool_.checkout());
  Result<std::vector<PostgresRows>> rows = first->run(statements);
  if (!rows && first->lost()) {
    // A connection that broke while it was idle shows it only now; a read can be asked twice.
    first.discard();
    ASSIGN_OR_RETURN(PostgresPool::Lease second, pool_.checkout());
    rows = second->run(statements);
  }
  if (!rows) return Failure(std::move(rows).error());
  return std::move(rows->back());
}

Result<std::optional<Value>> PostgresTransaction::get(std::string_view key) {
  ASSIGN_OR_RETURN(PostgresRows rows, read(schema_.get(key)));
  std::optional<Value> value;
  if (rows.count() > 0) value = value_of(rows, 0);
  reads_.saw(key, value ? value->version : 0, 0);
  return value;
}

Result<std::vector<std::optional<Value>>> PostgresTransaction::get_many(const std::vector<Bytes>& keys) {
  std::vector<std::optional<Value>> values(keys.size());
  if (keys.empty()) return values;
  ASSIGN_OR_RETURN(PostgresRows rows, read(schema_.get_many({keys.begin(), keys.end()})));
  std::map<std::string_view, size_t> row_of;
  for (size_t row = 0; row < rows.count(); ++row) row_of[rows.bytes(row, 0)] = row;
  for (size_t i = 0; i < keys.size(); ++i) {
    auto row = row_of.find(keys[i]);
    if (row != row_of.end()) values[i] = value_of(rows, row->second);
    reads_.saw(keys[i], values[i] ? values[i]->version : 0, 0);
  }
  return values;
}

Result<std::vector<KeyValue>> PostgresTransaction::scan(const KeyRange& range, size_t limit, bool reverse) {
  CHECK(limit > 0 && limit <= limits::kScanRows);
  ASSIGN_OR_RETURN(PostgresRows rows, read(schema_.scan(range.begin, range.end, limit, reverse)));
  std::vector<KeyValue> found;
  found.reserve(rows.count());
  for (size_t row = 0; row < rows.count(); ++row) {
    Value value = value_of(rows, row);
    found.push_back({Bytes(rows.bytes(row, 0)), std::move(value.bytes), value.version});
  }
  return found;
}

Status PostgresTransaction::fence(std::string_view key) {
  CHECK(!ended_);
  if (fencing_) {
    // Whoever holds a fence already waits briefly only: nobody waits for long while others wait for it.
    TRY((*fencing_)->run({timeouts(limits::kPostgresFencerWaitMs), schema_.fence(key)}));
    return {};
  }
  ASSIGN_OR_RETURN(PostgresPool::Lease lease, pool_.checkout());
  fencing_.emplace(std::move(lease));
  TRY((*fencing_)->run(
      {sql("BEGIN ISOLATION LEVEL READ COMMITTED"), timeouts(limits::kFenceWaitMs), schema_.fence(key)}));
  return {};
}

Result<Version> PostgresTransaction::commit() {
  CHECK(!ended_);
  Result<Version> version = commit_once();
  end();
  return version;
}

Result<Version> PostgresTransaction::commit_once() {
  if (writes_.empty()) return 0;
  TRY(writes_.check_limits());
  if (reads_.contradictory()) return error(Code::kConflict, "a key changed between two reads of one transaction");
  if (fencing_) {
    if ((*fencing_)->hung_up()) return error(Code::kConflict, "the server ended the transaction that held the fence");
    return commit_on(*fencing_->operator->());
  }
  ASSIGN_OR_RETURN(PostgresPool::Lease lease, pool_.checkout());
  return commit_on(*lease.operator->());
}

Result<Version> PostgresTransaction::commit_on(PostgresConnection& connection) {
  std::vector<PostgresStatement> statements;
  statements.push_back(timeouts(fencing_ ? limits::kPostgresFencerWaitMs : limits::kFenceWaitMs));
  statements.push_back(commit_statement(schema_, reads_, writes_));
  if (fencing_) statements.push_back(sql("COMMIT"));
  Result<std::vector<PostgresRows>> rows = connection.run(statements);
  if (!rows && connection.lost())
    return error(Code::kMaybeCommitted, "the reply to a commit was lost: {}", rows.error().what);
  if (!rows) return Failure(std::move(rows).error());
  if (fencing_) fencing_.reset();
  const int64_t version = rows->at(1).integer(0, 0);
  if (version == 0) return error(Code::kConflict, "a key that was read has changed");
  return static_cast<Version>(version);
}

void PostgresTransaction::end() {
  ended_ = true;
  if (!fencing_) return;
  if (!(*fencing_)->lost() && !(*fencing_)->run({sql("ROLLBACK")})) fencing_->discard();
  fencing_.reset();
}

}  // namespace weir::kv
