#include "kv/postgres/postgres_schema.h"

#include "kv/postgres/postgres_functions.h"

namespace weir::kv {
namespace {

// 1 had one table only.
constexpr int64_t kFormat = 2;
constexpr const char* kTableNames[] = {"kv", "brief"};

/// The error with the volume's name before it, unless the connection was the matter, whose message is complete.
Failure failed(Error cause, const std::string& action, const std::string& where) {
  if (cause.code == Code::kUnavailable) return Failure(std::move(cause));
  return error(cause.code, "cannot {} a volume at {}: {}", action, where, cause.what);
}

}  // namespace

Status PostgresSchema::create(PostgresConnection& connection, const std::string& where, const Layout& layout) {
  Result<Found> found = look(connection);
  if (!found) return failed(found.error(), "create", where);
  if (found->ours) return error(Code::kExists, "there is a volume at {} already", where);
  if (found->others)
    return error(Code::kNotEmpty, "schema {} at {} has tables of something else; name another with ?schema=", quoted_,
                 where);
  std::vector<PostgresStatement> statements;
  for (const char* table : sql::kTables) statements.emplace_back(in_schema(table));
  for (const char* function : sql::kFunctions) statements.emplace_back(in_schema(function));
  statements.emplace_back(in_schema("CREATE SEQUENCE @.versions"));
  statements.emplace_back(in_schema("INSERT INTO @.engine VALUES ($1, $2)")).integer(kFormat).bytes(layout.short_lived);
  Result<std::vector<PostgresRows>> created = connection.run(statements);
  if (!created) return failed(created.error(), "create", where);
  learn(layout.short_lived);
  return {};
}

Status PostgresSchema::check(PostgresConnection& connection, const std::string& where) {
  Result<Found> found = look(connection);
  if (!found) return failed(found.error(), "open", where);
  if (!found->ours)
    return error(Code::kNotFound, "there is no volume at {}; create one with weir format and this URL", where);
  Result<std::vector<PostgresRows>> rows =
      connection.run({PostgresStatement(in_schema("SELECT max(format) FROM @.engine HAVING count(*) > 0"))});
  if (!rows) return failed(rows.error(), "open", where);
  const int64_t format = rows->front().count() == 1 ? rows->front().integer(0, 0) : 0;
  if (format > kFormat)
    return error(Code::kUnsupported, "the volume at {} has format {}, of a newer Weir; this one knows up to {}", where,
                 format, kFormat);
  if (format <= 0) return error(Code::kInvalid, "the tables at {} are not those of a volume", where);
  if (format < kFormat)
    return error(Code::kUnsupported, "the volume at {} has format {}, of an older Weir; this one knows {}", where,
                 format, kFormat);
  rows = connection.run({PostgresStatement(in_schema("SELECT short_lived FROM @.engine"))});
  if (!rows) return failed(rows.error(), "open", where);
  learn(rows->front().bytes(0, 0));
  return {};
}

void PostgresSchema::learn(std::string_view short_lived) {
  for (char tag : short_lived) brief_.insert(static_cast<unsigned char>(tag));
}

Result<PostgresSchema::Found> PostgresSchema::look(PostgresConnection& connection) const {
  PostgresStatement statement(
      "SELECT coalesce(bool_or(relname = 'engine'), false), count(*) > 0 FROM pg_catalog.pg_class"
      " WHERE relnamespace = to_regnamespace(convert_from($1, 'UTF8'))");
  statement.bytes(quoted_);
  ASSIGN_OR_RETURN(std::vector<PostgresRows> rows, connection.run({statement}));
  return Found{rows[0].boolean(0, 0), rows[0].boolean(0, 1)};
}

std::string PostgresSchema::in_schema(std::string text) const {
  for (size_t at = text.find('@'); at != std::string::npos; at = text.find('@', at + quoted_.size()))
    text.replace(at, 1, quoted_);
  return text;
}

std::vector<PostgresSchema::Part> PostgresSchema::parts_of(const KeyRange& range) const {
  const auto first = static_cast<unsigned char>(range.begin.empty() ? 0 : range.begin[0]);
  std::vector<Part> parts;
  for (unsigned tag = first; tag < 256; ++tag) {
    const Bytes begin = tag == first ? range.begin : Bytes(1, static_cast<char>(tag));
    if (!range.end.empty() && begin >= range.end) break;
    const Area area = brief_.contains(static_cast<unsigned char>(tag)) ? Area::kBrief : Area::kLasting;
    if (parts.empty() || parts.back().area != area) {
      if (!parts.empty()) parts.back().range.end = begin;
      parts.push_back({area, {begin, range.end}});
    }
  }
  return parts;
}

PostgresStatement PostgresSchema::get(std::string_view key) const {
  PostgresStatement statement(in_schema(fmt::format("SELECT key, bytes, version FROM @.{} WHERE key = $1",
                                                    kTableNames[static_cast<size_t>(area_of(key))])));
  statement.bytes(key).repeated();
  return statement;
}

PostgresStatement PostgresSchema::get_many(const std::vector<std::string_view>& keys) const {
  PostgresStatement statement(in_schema(fmt::format("SELECT key, bytes, version FROM @.{} WHERE key = ANY ($1)",
                                                    kTableNames[static_cast<size_t>(area_of(keys.front()))])));
  statement.bytes_array(keys).repeated();
  return statement;
}

// In one statement, so that all rows are of one moment.
PostgresStatement PostgresSchema::get_linked(const std::vector<std::string_view>& keys, const ReadBatch& batch) const {
  PostgresStatement statement(in_schema(
      "WITH named AS MATERIALIZED (SELECT key, bytes, version FROM @.kv WHERE key = ANY ($1))"
      " SELECT key, bytes, version FROM named"
      " UNION ALL"
      " SELECT t.key, t.bytes, t.version"
      " FROM unnest($2::bytea[], $3::bigint[], $4::bigint[], $5::bytea[]) AS link (key, place, length, prefix)"
      " JOIN named ON named.key = link.key AND octet_length(named.bytes) >= link.place + link.length - 1"
      " JOIN @.kv t ON t.key = link.prefix || substr(named.bytes, link.place::int, link.length::int)"));
  std::vector<std::string_view> from, prefixes;
  std::vector<int64_t> places, lengths;
  for (const ReadBatch::Link& link : batch.links) {
    const std::string_view key = batch.keys[link.from];
    if (area_of(key) != Area::kLasting) continue;
    from.push_back(key);
    places.push_back(static_cast<int64_t>(link.offset) + 1);
    lengths.push_back(static_cast<int64_t>(link.length));
    prefixes.push_back(link.prefix);
  }
  statement.bytes_array(keys).bytes_array(from).integer_array(places).integer_array(lengths).bytes_array(prefixes);
  statement.repeated();
  return statement;
}

PostgresStatement PostgresSchema::scan(const Part& part, size_t limit, bool reverse) const {
  const char* table = kTableNames[static_cast<size_t>(part.area)];
  PostgresStatement statement(
      in_schema(fmt::format("SELECT key, bytes, version FROM @.{} WHERE key >= $1{} ORDER BY key{} LIMIT $2", table,
                            part.range.end.empty() ? "" : " AND key < $3", reverse ? " DESC" : "")));
  statement.bytes(part.range.begin).integer(static_cast<int64_t>(limit));
  if (!part.range.end.empty()) statement.bytes(part.range.end);
  statement.repeated();
  return statement;
}

PostgresStatement PostgresSchema::fence(std::string_view key) const {
  PostgresStatement statement(in_schema("SELECT @.fence($1, $2::bigint <> 0)"));
  statement.bytes(key).integer(area_of(key) == Area::kBrief ? 1 : 0).repeated();
  return statement;
}

PostgresStatement PostgresSchema::commit() const {
  PostgresStatement statement(
      in_schema("SELECT @.commit($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)"));
  statement.repeated();
  return statement;
}

}  // namespace weir::kv
