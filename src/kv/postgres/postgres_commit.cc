#include "kv/postgres/postgres_commit.h"

namespace weir::kv {
namespace {

constexpr int64_t kNotValidated = -1;

struct TableArrays {
  std::vector<std::string_view> update_keys, update_bytes;
  std::vector<std::string_view> insert_keys, insert_bytes;
  std::vector<std::string_view> erase_keys;

  void add_to(PostgresStatement& statement) const {
    statement.bytes_array(update_keys).bytes_array(update_bytes);
    statement.bytes_array(insert_keys).bytes_array(insert_bytes).bytes_array(erase_keys);
  }
};

/// The arrays that the commit function takes, each in the order of keys.
struct CommitArrays {
  std::vector<std::string_view> check_keys;
  std::vector<int64_t> check_versions;
  std::vector<int64_t> check_kinds;
  std::vector<std::string_view> absent_keys;
  TableArrays tables[2];

  /// `expected`: kNotValidated, or the version that the key must have. `write`: nothing when it is only validated.
  void add(Area area, std::string_view key, int64_t expected, const std::optional<Bytes>* write) {
    const bool put = write != nullptr && write->has_value();
    TableArrays& table = tables[static_cast<size_t>(area)];
    check_keys.push_back(key);
    check_versions.push_back(expected);
    check_kinds.push_back(static_cast<int64_t>(area) + (write != nullptr ? 2 : 0));
    if (put && expected > 0) {
      table.update_keys.push_back(key);
      table.update_bytes.push_back(**write);
    } else if (put || expected == 0) {
      // A key that must be absent and is not put is put and erased, so that of two who put it one waits.
      table.insert_keys.push_back(key);
      table.insert_bytes.push_back(put ? std::string_view(**write) : std::string_view());
    }
    if (expected == 0) absent_keys.push_back(key);
    if (!put && (write != nullptr || expected == 0)) table.erase_keys.push_back(key);
  }
};

CommitArrays arrays_of(const PostgresSchema& schema, const ReadSet& reads, const WriteSet& writes) {
  CommitArrays arrays;
  auto seen = reads.seen().begin();
  auto write = writes.writes().begin();
  while (seen != reads.seen().end() || write != writes.writes().end()) {
    const bool has_write =
        write != writes.writes().end() && (seen == reads.seen().end() || write->first <= seen->first);
    const bool has_seen = seen != reads.seen().end() && (!has_write || seen->first == write->first);
    const bool validated = has_seen && ReadSet::validated(*seen, writes);
    const int64_t expected = validated ? static_cast<int64_t>(seen->second.version) : kNotValidated;
    const Bytes& key = has_write ? write->first : seen->first;
    if (has_write || validated) arrays.add(schema.area_of(key), key, expected, has_write ? &write->second : nullptr);
    if (has_write) ++write;
    if (has_seen) ++seen;
  }
  return arrays;
}

}  // namespace

PostgresStatement commit_statement(const PostgresSchema& schema, const ReadSet& reads, const WriteSet& writes) {
  const CommitArrays arrays = arrays_of(schema, reads, writes);
  PostgresStatement statement = schema.commit();
  statement.bytes_array(arrays.check_keys).integer_array(arrays.check_versions).integer_array(arrays.check_kinds);
  statement.bytes_array(arrays.absent_keys);
  for (const TableArrays& table : arrays.tables) table.add_to(statement);
  return statement;
}

}  // namespace weir::kv
