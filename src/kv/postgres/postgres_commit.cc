#include "kv/postgres/postgres_commit.h"

namespace weir::kv {
namespace {

constexpr int64_t kNotValidated = -1;

/// The arrays that the commit function takes, each in the order of keys.
struct CommitArrays {
  std::vector<std::string_view> check_keys;
  std::vector<int64_t> check_versions;
  std::vector<bool> check_written;
  std::vector<std::string_view> update_keys, update_bytes;
  std::vector<std::string_view> insert_keys, insert_bytes;
  std::vector<std::string_view> absent_keys;
  std::vector<std::string_view> erase_keys;

  /// `expected`: kNotValidated, or the version that the key must have. `write`: nothing when it is only validated.
  void add(std::string_view key, int64_t expected, const std::optional<Bytes>* write) {
    const bool put = write != nullptr && write->has_value();
    check_keys.push_back(key);
    check_versions.push_back(expected);
    check_written.push_back(write != nullptr);
    if (put && expected > 0) {
      update_keys.push_back(key);
      update_bytes.push_back(**write);
    } else if (put || expected == 0) {
      // A key that must be absent and is not put is put and erased, so that of two who put it one waits.
      insert_keys.push_back(key);
      insert_bytes.push_back(put ? std::string_view(**write) : std::string_view());
    }
    if (expected == 0) absent_keys.push_back(key);
    if (!put && (write != nullptr || expected == 0)) erase_keys.push_back(key);
  }
};

CommitArrays arrays_of(const ReadSet& reads, const WriteSet& writes) {
  CommitArrays arrays;
  auto seen = reads.seen().begin();
  auto write = writes.writes().begin();
  while (seen != reads.seen().end() || write != writes.writes().end()) {
    const bool has_write =
        write != writes.writes().end() && (seen == reads.seen().end() || write->first <= seen->first);
    const bool has_seen = seen != reads.seen().end() && (!has_write || seen->first == write->first);
    const bool validated = has_seen && ReadSet::validated(*seen, writes);
    const int64_t expected = validated ? static_cast<int64_t>(seen->second.version) : kNotValidated;
    if (has_write || validated)
      arrays.add(has_write ? write->first : seen->first, expected, has_write ? &write->second : nullptr);
    if (has_write) ++write;
    if (has_seen) ++seen;
  }
  return arrays;
}

}  // namespace

PostgresStatement commit_statement(const PostgresSchema& schema, const ReadSet& reads, const WriteSet& writes) {
  const CommitArrays arrays = arrays_of(reads, writes);
  PostgresStatement statement = schema.commit();
  statement.bytes_array(arrays.check_keys).integer_array(arrays.check_versions).boolean_array(arrays.check_written);
  statement.bytes_array(arrays.update_keys).bytes_array(arrays.update_bytes);
  statement.bytes_array(arrays.insert_keys).bytes_array(arrays.insert_bytes);
  statement.bytes_array(arrays.absent_keys).bytes_array(arrays.erase_keys);
  return statement;
}

}  // namespace weir::kv
