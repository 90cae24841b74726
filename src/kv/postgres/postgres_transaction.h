#pragma once

#include <optional>

#include "kv/engine.h"
#include "kv/postgres/postgres_pool.h"
#include "kv/postgres/postgres_schema.h"
#include "kv/read_set.h"
#include "kv/recalled_rows.h"
#include "kv/write_set.h"

namespace weir::kv {

/// A transaction over a pool of connections. Reads are statements of their own, outside any SQL transaction; commit()
/// is one call. Only a fence opens a SQL transaction, and keeps its connection until this transaction ends.
class PostgresTransaction final : public Transaction {
 public:
  /// Borrows all, which must outlive it.
  PostgresTransaction(PostgresPool& pool, const PostgresSchema& schema, RecalledRows& recalled)
      : pool_(pool), schema_(schema), recalled_(recalled) {}
  ~PostgresTransaction() override { end(); }

  Result<ReadAnswer> read(const ReadBatch& batch) override;
  std::optional<ReadAnswer> recall(const ReadBatch& batch) override { return recalled_.recall(batch, reads_); }
  void expect(std::string_view key, Version version) override { reads_.expect(key, version); }
  Status fence(std::string_view key) override;
  void put(std::string_view key, std::string_view bytes) override { writes_.put(key, bytes); }
  void erase(std::string_view key) override { writes_.erase(key); }
  const WriteSet& writes() const override { return writes_; }
  Result<Version> commit() override;

 private:
  /// On the connection that holds the fences. Conflict when it is lost, and the fences with it: nothing was written.
  Result<std::vector<PostgresRows>> run_fencing(const std::vector<PostgresStatement>& statements);
  Result<std::vector<PostgresRows>> ask(const std::vector<PostgresStatement>& statements);
  /// Linked rows that did not come along, because a row of Area::kBrief leads to them or they lie there.
  Status complete_links(const ReadBatch& batch, ReadAnswer& answer);
  Result<Version> commit_once();
  Result<Version> commit_on(PostgresConnection& connection);
  /// Rolls an open SQL transaction back and gives its connection back.
  void end();

  PostgresPool& pool_;
  const PostgresSchema& schema_;
  RecalledRows& recalled_;
  ReadSet reads_;
  WriteSet writes_;
  /// While fences are held.
  std::optional<PostgresPool::Lease> fencing_;
  bool ended_ = false;
};

}  // namespace weir::kv
