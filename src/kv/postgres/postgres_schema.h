#pragma once

#include <string>

#include "kv/postgres/postgres_connection.h"

namespace weir::kv {

/// The tables and functions of one volume in a schema of a PostgreSQL database, and the statements over them.
///   kv        key, bytes, version: the content
///   versions  a sequence: never gives a number twice, also not after a crash or for what was rolled back
///   engine    one row: the format number
///   commit()  validates and writes in one call; fence() locks a guard key, present or absent
/// docs/data-model.md explains the locks.
class PostgresSchema {
 public:
  /// Requires: a name that parse_postgres_url() accepted.
  explicit PostgresSchema(const std::string& name) : quoted_('"' + name + '"') {}

  /// Exists, NotEmpty (there are tables of something else), Access. `where` names the volume in messages.
  Status create(PostgresConnection& connection, const std::string& where) const;
  /// NotFound, Unsupported (of a newer Weir).
  Status check(PostgresConnection& connection, const std::string& where) const;

  PostgresStatement get(std::string_view key) const;
  PostgresStatement get_many(const std::vector<std::string_view>& keys) const;
  PostgresStatement scan(std::string_view begin, std::string_view end, size_t limit, bool reverse) const;
  PostgresStatement fence(std::string_view key) const;
  /// Parameters: as the function's, in order.
  PostgresStatement commit() const;

 private:
  struct Found {
    bool ours = false;
    bool others = false;
  };
  Result<Found> look(PostgresConnection& connection) const;
  /// The text with every @ replaced by the schema's name.
  std::string in_schema(std::string text) const;

  std::string quoted_;
};

}  // namespace weir::kv
