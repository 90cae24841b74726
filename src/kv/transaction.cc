#include "kv/engine.h"

namespace weir::kv {

Result<std::optional<Value>> Transaction::get(std::string_view key) {
  ReadBatch batch;
  batch.keys.emplace_back(key);
  ASSIGN_OR_RETURN(ReadAnswer answer, read(batch));
  return std::move(answer.values.front());
}

Result<std::vector<std::optional<Value>>> Transaction::get_many(const std::vector<Bytes>& keys) {
  ReadBatch batch;
  batch.keys = keys;
  ASSIGN_OR_RETURN(ReadAnswer answer, read(batch));
  return std::move(answer.values);
}

Result<std::vector<KeyValue>> Transaction::scan(const KeyRange& range, size_t limit, bool reverse) {
  ReadBatch batch;
  batch.scans.push_back({range, limit, reverse});
  ASSIGN_OR_RETURN(ReadAnswer answer, read(batch));
  return std::move(answer.scans.front());
}

}  // namespace weir::kv
