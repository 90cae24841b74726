#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"

struct pg_result;

namespace weir::kv {

/// One SQL statement with its parameters in PostgreSQL's binary form; $1 is the first one added.
class PostgresStatement {
 public:
  explicit PostgresStatement(std::string sql) : sql_(std::move(sql)) {}

  PostgresStatement& bytes(std::string_view value);
  PostgresStatement& integer(int64_t value);
  PostgresStatement& bytes_array(const std::vector<std::string_view>& values);
  /// Nothing (-1 cannot be a version) becomes NULL.
  PostgresStatement& integer_array(const std::vector<int64_t>& values);
  PostgresStatement& boolean_array(const std::vector<bool>& values);
  /// Its text is one of few that are run again and again: a connection may have the server prepare it once.
  PostgresStatement& repeated() {
    repeated_ = true;
    return *this;
  }

  const std::string& sql() const { return sql_; }
  bool is_repeated() const { return repeated_; }
  const std::vector<Bytes>& parameters() const { return parameters_; }
  const std::vector<unsigned>& types() const { return types_; }

 private:
  std::string sql_;
  std::vector<Bytes> parameters_;
  std::vector<unsigned> types_;
  bool repeated_ = false;
};

/// The rows of one statement. Owns them; what the accessors return is borrowed from it.
class PostgresRows {
 public:
  explicit PostgresRows(pg_result* result);
  ~PostgresRows();
  PostgresRows(PostgresRows&&) noexcept;
  PostgresRows& operator=(PostgresRows&&) noexcept;

  size_t count() const;
  std::string_view bytes(size_t row, int column) const;
  int64_t integer(size_t row, int column) const;
  bool boolean(size_t row, int column) const;

 private:
  pg_result* result_;
};

}  // namespace weir::kv
