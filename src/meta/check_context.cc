#include "meta/check_context.h"

#include <algorithm>

#include "base/hex.h"
#include "base/limits.h"
#include "meta/run_transaction.h"

namespace weir::meta {

Status CheckContext::found(std::string kind, std::string what, InodeId about, const Fix& fix) {
  Problem problem{std::move(kind), std::move(what), fix != nullptr, false};
  if (fix && repair_) {
    auto fixed = run_transaction(volume_, RequestId{}, [&](Attempt& attempt) { return fix(attempt.transaction); });
    if (!fixed) return Failure(std::move(fixed).error());
    problem.repaired = true;
  }
  waiting_.push_back({std::move(problem), about});
  if (about.value != 0 && !paths_known_) waiting_for_path_.try_emplace(about);
  if (paths_known_ || waiting_.size() >= limits::kReportedProblems) flush();
  return {};
}

void CheckContext::paths_are_known() {
  paths_known_ = true;
  flush();
}

void CheckContext::flush() {
  for (Waiting& waiting : waiting_) {
    auto path = waiting_for_path_.find(waiting.about);
    if (path != waiting_for_path_.end() && !path->second.empty())
      waiting.problem.what = fmt::format("{}: {}", path->second, waiting.problem.what);
    if (report_) report_(waiting.problem);
  }
  waiting_.clear();
}

Status CheckContext::for_each(const kv::KeyRange& range, const std::function<Status(const kv::KeyValue&)>& visit) {
  kv::KeyRange rest = range;
  for (;;) {
    ASSIGN_OR_RETURN(auto rows, volume_.engine().begin()->scan(rest, limits::kScanRows));
    for (const kv::KeyValue& row : rows) TRY(visit(row));
    if (rows.size() < limits::kScanRows) return {};
    rest = keys::behind(rest, rows.back().key);
  }
}

Status CheckContext::found_undecodable(const kv::KeyValue& row, const Error& problem) {
  return found("undecodable_row", fmt::format("row {} cannot be read: {}", to_hex(row.key), problem.what), InodeId{},
               nullptr);
}

Result<std::vector<std::optional<kv::Value>>> CheckContext::get_many(const std::vector<Bytes>& row_keys) {
  if (row_keys.empty()) return std::vector<std::optional<kv::Value>>();
  return volume_.engine().begin()->get_many(row_keys);
}

void CheckContext::saw_number(keys::CounterKind kind, uint64_t number) {
  uint64_t& highest = highest_[kind];
  highest = std::max(highest, number);
}

Status CheckContext::check_counters() {
  for (keys::CounterKind kind : {keys::CounterKind::kInode, keys::CounterKind::kPage, keys::CounterKind::kSerial}) {
    const Bytes key = keys::counter(kind);
    ASSIGN_OR_RETURN(auto values, get_many({key}));
    auto row = values[0] ? CounterRow::decode(values[0]->bytes) : Result<CounterRow>(CounterRow());
    const uint64_t highest = highest_[kind];
    if (row && row->next > highest) continue;
    // Numbers that were handed out are below the range that comes next.
    TRY(found(
        "counter_behind",
        fmt::format("the counter of kind {} would hand out {} again, which is in use", static_cast<int>(kind), highest),
        InodeId{}, [&](kv::Transaction& transaction) -> Status {
          transaction.put(key, CounterRow{highest + limits::kIdRange}.encode());
          return {};
        }));
  }
  return {};
}

}  // namespace weir::meta
