#include "kv/postgres/postgres_error.h"

#include <utility>

namespace weir::kv {

// https://www.postgresql.org/docs/current/errcodes-appendix.html
Code code_of_sqlstate(std::string_view sqlstate) {
  static constexpr std::pair<std::string_view, Code> kCodes[] = {
      {"40001", Code::kConflict},     // serialization_failure
      {"40P01", Code::kConflict},     // deadlock_detected
      {"55P03", Code::kConflict},     // lock_not_available: lock_timeout
      {"25P02", Code::kConflict},     // in_failed_sql_transaction: an earlier statement of it failed
      {"53100", Code::kNoSpace},      // disk_full
      {"25006", Code::kUnavailable},  // read_only_sql_transaction: a standby
      {"57014", Code::kUnavailable},  // query_canceled: statement_timeout
      {"42501", Code::kAccess},       // insufficient_privilege
      {"42P06", Code::kExists},       // duplicate_schema
      {"42P07", Code::kExists},       // duplicate_table
      {"42723", Code::kExists},       // duplicate_function
      {"23505", Code::kExists},       // unique_violation, of two that create one schema at once
      {"42P01", Code::kNotFound},     // undefined_table
      {"42883", Code::kNotFound},     // undefined_function
      {"3F000", Code::kNotFound},     // invalid_schema_name
      {"3D000", Code::kNotFound},     // invalid_catalog_name
      {"54000", Code::kTooLarge},     // program_limit_exceeded
      {"XX001", Code::kCorrupt},      // data_corrupted
      {"XX002", Code::kCorrupt},      // index_corrupted
      {"58030", Code::kIo},           // io_error
  };
  for (const auto& [state, code] : kCodes) {
    if (sqlstate == state) return code;
  }
  // Connection failures, lack of resources, and an operator's intervention pass.
  const std::string_view group = sqlstate.substr(0, 2);
  if (group == "08" || group == "53" || group == "57") return Code::kUnavailable;
  if (group == "28") return Code::kAccess;
  return Code::kInternal;
}

Code code_of_connect_failure(std::string_view message) {
  auto says = [&](std::string_view part) { return message.find(part) != std::string_view::npos; };
  if (says("database \"") && says("does not exist")) return Code::kNotFound;
  if (says("authentication failed") || says("no password supplied") || says("pg_hba.conf") ||
      says("permission denied for database") || (says("role \"") && says("does not exist")))
    return Code::kAccess;
  return Code::kUnavailable;
}

std::string one_line(std::string_view message) {
  std::string line;
  for (char c : message) {
    const bool space = c == '\n' || c == '\t' || c == ' ';
    if (space && (line.empty() || line.back() == ' ')) continue;
    line += space ? ' ' : c;
  }
  while (!line.empty() && (line.back() == ' ' || line.back() == '.')) line.pop_back();
  return line;
}

}  // namespace weir::kv
