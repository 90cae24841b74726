#pragma once

#include <optional>

#include "kv/engine.h"
#include "kv/postgres/postgres_pool.h"
#include "kv/postgres/postgres_schema.h"
#include "kv/read_set.h"
#include "kv/write_set.h"

namespace weir::kv {

/// A transaction over a pool of connections. Reads are statements of their own, outside any SQL transaction; commit()
/// is one call. Only a fence opens a SQL transaction, and keeps its connection until this transaction ends.
class PostgresTransaction final : public Transaction {
 public:
  /// Borrows both, which must outlive it.
  PostgresTransaction(PostgresPool& pool, const PostgresSchema& schema) : pool_(pool), schema_(schema) {}
  ~PostgresTransaction() override { end(); }

  Result<std::optional<Value>> get(std::string_view key) override;
  Result<std::vector<std::optional<Value>>> get_many(const std::vector<Bytes>& keys) override;
  void expect(std::string_view key, Version version) override { reads_.expect(key, version); }
  Result<std::vector<KeyValue>> scan(const KeyRange& range, size_t limit, bool reverse) override;
  Status fence(std::string_view key) override;
  void put(std::string_view key, std::string_view bytes) override { writes_.put(key, bytes); }
  void erase(std::string_view key) override { writes_.erase(key); }
  Result<Version> commit() override;

 private:
  Result<PostgresRows> read(PostgresStatement statement);
  Result<Version> commit_once();
  Result<Version> commit_on(PostgresConnection& connection);
  /// Rolls an open SQL transaction back and gives its connection back.
  void end();

  PostgresPool& pool_;
  const PostgresSchema& schema_;
  ReadSet reads_;
  WriteSet writes_;
  /// While fences are held.
  std::optional<PostgresPool::Lease> fencing_;
  bool ended_ = false;
};

}  // namespace weir::kv
