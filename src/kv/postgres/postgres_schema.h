#pragma once

#include <set>
#include <string>
#include <vector>

#include "kv/engine.h"
#include "kv/postgres/postgres_connection.h"

namespace weir::kv {

/// One of the two tables that hold the content.
enum class Area : uint8_t {
  kLasting = 0,  // kv
  kBrief = 1,    // brief: rows of Layout::short_lived
};

/// The tables and functions of one volume in a schema of a PostgreSQL database, and the statements over them.
///   kv, brief  key, bytes, version: the content
///   versions   a sequence: never gives a number twice, also not after a crash or for what was rolled back
///   engine     one row: the format number, and which first bytes of keys lie in brief
///   commit()   validates and writes in one call; fence() locks a guard key, present or absent
/// docs/postgresql.md explains the locks.
class PostgresSchema {
 public:
  /// Requires: a name that parse_postgres_url() accepted.
  explicit PostgresSchema(const std::string& name) : quoted_('"' + name + '"') {}

  /// Exists, NotEmpty (there are tables of something else), Access. `where` names the volume in messages.
  Status create(PostgresConnection& connection, const std::string& where, const Layout& layout);
  /// NotFound, Unsupported (of another Weir's format). Learns the layout.
  Status check(PostgresConnection& connection, const std::string& where);

  Area area_of(std::string_view key) const {
    return !key.empty() && brief_.contains(static_cast<unsigned char>(key[0])) ? Area::kBrief : Area::kLasting;
  }
  /// `range` in parts that each lie in one table, in order.
  struct Part {
    Area area = Area::kLasting;
    KeyRange range;
  };
  std::vector<Part> parts_of(const KeyRange& range) const;

  /// Columns of reads: key, bytes, version. Requires: the keys are of one area.
  PostgresStatement get(std::string_view key) const;
  PostgresStatement get_many(const std::vector<std::string_view>& keys) const;
  /// Rows of `keys`, which are those of the batch in Area::kLasting, and the rows there that they lead to.
  PostgresStatement get_linked(const std::vector<std::string_view>& keys, const ReadBatch& batch) const;
  PostgresStatement scan(const Part& part, size_t limit, bool reverse) const;
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
  void learn(std::string_view short_lived);

  std::string quoted_;
  std::set<unsigned char> brief_;
};

}  // namespace weir::kv
