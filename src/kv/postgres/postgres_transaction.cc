#include "kv/postgres/postgres_transaction.h"

#include <algorithm>
#include <unordered_map>

#include "base/check.h"
#include "base/clock.h"
#include "base/limits.h"
#include "kv/postgres/postgres_commit.h"

namespace weir::kv {
namespace {

/// For the statements that follow in the same SQL transaction; nothing stays in the session.
PostgresStatement timeouts(int64_t lock_ms) {
  return PostgresStatement(
             fmt::format("SELECT set_config('statement_timeout', '{}', true), set_config('lock_timeout', '{}', true),"
                         " set_config('idle_in_transaction_session_timeout', '{}', true),"
                         " set_config('plan_cache_mode', 'force_generic_plan', true),"
                         " set_config('enable_seqscan', 'off', true), set_config('enable_bitmapscan', 'off', true),"
                         " set_config('enable_hashjoin', 'off', true), set_config('enable_mergejoin', 'off', true)",
                         limits::kPostgresStatementMs, lock_ms, limits::kPostgresFenceIdleMs))
      .repeated();
}

PostgresStatement sql(const char* text) { return PostgresStatement(text); }

/// The statements that answer a batch, and how their rows become the answer.
class Reading {
 public:
  Reading(const PostgresSchema& schema, const ReadBatch& batch) : batch_(batch) {
    add_keys(schema);
    for (const ReadBatch::Scan& scan : batch.scans) {
      CHECK(scan.limit > 0 && scan.limit <= limits::kScanRows);
      std::vector<PostgresSchema::Part> parts = schema.parts_of(scan.range);
      if (scan.reverse) std::reverse(parts.begin(), parts.end());
      for (const PostgresSchema::Part& part : parts) statements_.push_back(schema.scan(part, scan.limit, scan.reverse));
      scan_parts_.push_back(parts.size());
    }
  }

  const std::vector<PostgresStatement>& statements() const { return statements_; }

  ReadAnswer answer(const std::vector<PostgresRows>& rows) const {
    std::unordered_map<std::string_view, Value> found;
    for (size_t i = 0; i < key_statements_; ++i)
      for (size_t row = 0; row < rows[i].count(); ++row)
        found.try_emplace(rows[i].bytes(row, 0), Value{Bytes(rows[i].bytes(row, 1)), version_of(rows[i], row)});
    auto value_of = [&](std::string_view key) -> std::optional<Value> {
      const auto value = found.find(key);
      return value == found.end() ? std::nullopt : std::optional(value->second);
    };
    ReadAnswer answer;
    for (const Bytes& key : batch_.keys) answer.values.push_back(value_of(key));
    for (const ReadBatch::Link& link : batch_.links) {
      const auto key = linked_key(link, answer.values[link.from]);
      answer.linked.push_back(key ? value_of(*key) : std::nullopt);
    }
    size_t next = key_statements_;
    for (size_t i = 0; i < batch_.scans.size(); ++i) {
      std::vector<KeyValue>& scanned = answer.scans.emplace_back();
      for (size_t part = 0; part < scan_parts_[i]; ++part, ++next) {
        const PostgresRows& part_rows = rows[next];
        for (size_t row = 0; row < part_rows.count() && scanned.size() < batch_.scans[i].limit; ++row)
          scanned.push_back(
              {Bytes(part_rows.bytes(row, 0)), Bytes(part_rows.bytes(row, 1)), version_of(part_rows, row)});
      }
    }
    return answer;
  }

 private:
  static Version version_of(const PostgresRows& rows, size_t row) { return static_cast<Version>(rows.integer(row, 2)); }

  void add_keys(const PostgresSchema& schema) {
    std::vector<std::string_view> of_area[2];
    for (const Bytes& key : batch_.keys) of_area[static_cast<size_t>(schema.area_of(key))].push_back(key);
    // Linked rows come last, of a state at least as new as all keys'.
    for (const Area area : {Area::kBrief, Area::kLasting}) {
      const auto& keys = of_area[static_cast<size_t>(area)];
      if (keys.empty()) continue;
      if (!batch_.links.empty() && area == Area::kLasting) {
        statements_.push_back(schema.get_linked(keys, batch_));
      } else {
        statements_.push_back(keys.size() == 1 ? schema.get(keys[0]) : schema.get_many(keys));
      }
    }
    key_statements_ = statements_.size();
  }

  const ReadBatch& batch_;
  std::vector<PostgresStatement> statements_;
  size_t key_statements_ = 0;
  std::vector<size_t> scan_parts_;  // statements of each scan
};

}  // namespace

Result<std::vector<PostgresRows>> PostgresTransaction::ask(const std::vector<PostgresStatement>& statements) {
  // Without timeouts of their own through a pooler, which would cost a fifth of the round trip: a read waits for no
  // lock, and a fencing SQL transaction has them already.
  if (fencing_) return run_fencing(statements);
  // A read whose connection broke, perhaps while it was idle, can be asked again. A server that is gone is waited for
  // at checkout.
  const int64_t deadline_ns = SystemClock().monotonic_ns() + limits::kOutageMs * 1'000'000;
  for (;;) {
    ASSIGN_OR_RETURN(PostgresPool::Lease lease, pool_.checkout());
    Result<std::vector<PostgresRows>> rows = lease->run(statements);
    if (rows || !lease->lost() || SystemClock().monotonic_ns() >= deadline_ns) return rows;
  }
}

Result<std::vector<PostgresRows>> PostgresTransaction::run_fencing(const std::vector<PostgresStatement>& statements) {
  auto rows = (*fencing_)->run(statements);
  if (!rows && (*fencing_)->lost())
    return error(Code::kConflict, "the server ended the transaction that held the fence: {}", rows.error().what);
  return rows;
}

Result<ReadAnswer> PostgresTransaction::read(const ReadBatch& batch) {
  const Reading reading(schema_, batch);
  if (reading.statements().empty()) return reading.answer({});
  ASSIGN_OR_RETURN(const std::vector<PostgresRows> rows, ask(reading.statements()));
  ReadAnswer answer = reading.answer(rows);
  for (size_t i = 0; i < batch.keys.size(); ++i)
    reads_.saw(batch.keys[i], answer.values[i] ? answer.values[i]->version : 0, 0);
  TRY(complete_links(batch, answer));
  recalled_.was_read(batch, answer);
  return answer;
}

Status PostgresTransaction::complete_links(const ReadBatch& batch, ReadAnswer& answer) {
  const auto is_brief = [&](std::string_view key) { return schema_.area_of(key) == Area::kBrief; };
  for (size_t i = 0; i < batch.links.size(); ++i) {
    const auto key = linked_key(batch.links[i], answer.values[batch.links[i].from]);
    if (!key) continue;
    if (!answer.linked[i] && (is_brief(batch.keys[batch.links[i].from]) || is_brief(*key))) {
      ASSIGN_OR_RETURN(answer.linked[i], get(*key));
    } else {
      reads_.saw(*key, answer.linked[i] ? answer.linked[i]->version : 0, 0);
    }
  }
  return {};
}

Status PostgresTransaction::fence(std::string_view key) {
  CHECK(!ended_);
  if (fencing_) {
    // Whoever holds a fence already waits briefly only: nobody waits for long while others wait for it.
    TRY(run_fencing({timeouts(limits::kPostgresFencerWaitMs), schema_.fence(key)}));
    return {};
  }
  ASSIGN_OR_RETURN(PostgresPool::Lease lease, pool_.checkout(PostgresPool::Use::kFence));
  fencing_.emplace(std::move(lease));
  TRY(run_fencing({sql("BEGIN ISOLATION LEVEL READ COMMITTED"), timeouts(limits::kFenceWaitMs), schema_.fence(key)}));
  return {};
}

Result<Version> PostgresTransaction::commit() {
  CHECK(!ended_);
  Result<Version> version = commit_once();
  if (version) {
    recalled_.was_committed(writes_, *version);
  } else {
    recalled_.forget(reads_, writes_);
  }
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
  if (fencing_ || connection.pooled())
    statements.push_back(timeouts(fencing_ ? limits::kPostgresFencerWaitMs : limits::kFenceWaitMs));
  const size_t commit = statements.size();
  statements.push_back(commit_statement(schema_, reads_, writes_));
  if (fencing_) statements.push_back(sql("COMMIT"));
  Result<std::vector<PostgresRows>> rows = connection.run(statements);
  if (!rows && connection.lost())
    return error(Code::kMaybeCommitted, "the reply to a commit was lost: {}", rows.error().what);
  if (!rows) return Failure(std::move(rows).error());
  if (fencing_) fencing_.reset();
  const int64_t version = rows->at(commit).integer(0, 0);
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
