#include "kv/postgres/postgres_schema.h"

namespace weir::kv {
namespace {

constexpr int64_t kFormat = 1;

// Short-lived rows make most of the load: vacuum early.
constexpr const char* kTables[] = {
    "CREATE SCHEMA IF NOT EXISTS @",
    "CREATE TABLE @.kv (key bytea PRIMARY KEY, bytes bytea NOT NULL, version bigint NOT NULL)"
    " WITH (fillfactor = 90, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 1000,"
    " autovacuum_analyze_scale_factor = 0.05)",
    "CREATE SEQUENCE @.versions",
    "CREATE TABLE @.engine (format bigint NOT NULL)",
};

// First every lock over both what was read and what is written, in key order, each in its final strength: two commits
// never wait for each other. A row that another transaction changed meanwhile is seen as that left it. Then inserts, in
// key order; one that finds a row where none may be, or lost a race, undoes all.
//   check_keys      read or written, ascending      check_versions  NULL: not validated
//   check_written   lock for writing                update_*        validated as present
//   insert_*        absent, or not validated        absent_keys     of these, validated as absent
constexpr const char* kCommit = R"sql(
CREATE FUNCTION @.commit(check_keys bytea[], check_versions bigint[], check_written boolean[],
                         update_keys bytea[], update_bytes bytea[], insert_keys bytea[], insert_bytes bytea[],
                         absent_keys bytea[], erase_keys bytea[])
RETURNS bigint LANGUAGE plpgsql SET enable_seqscan = off SET plan_cache_mode = force_generic_plan AS $body$
DECLARE
  stale boolean;
  next_version bigint;
  inserted bigint;
  item record;
BEGIN
  SELECT bool_or(wanted.version <> coalesce(owned.version, shared.version, 0)) INTO stale
    FROM unnest(check_keys, check_versions, check_written) AS wanted (key, version, written)
    LEFT JOIN LATERAL (SELECT kv.version FROM @.kv WHERE kv.key = wanted.key AND wanted.written FOR UPDATE)
      AS owned ON true
    LEFT JOIN LATERAL (SELECT kv.version FROM @.kv WHERE kv.key = wanted.key AND NOT wanted.written FOR SHARE)
      AS shared ON true;
  IF stale THEN
    RETURN 0;
  END IF;
  -- An acknowledged commit is on disk, whatever the database's default.
  IF current_setting('synchronous_commit') = 'off' THEN
    PERFORM set_config('synchronous_commit', 'local', true);
  END IF;
  next_version := nextval('@.versions');
  FOR item IN SELECT u.key, u.bytes FROM unnest(update_keys, update_bytes) AS u (key, bytes) LOOP
    UPDATE @.kv SET bytes = item.bytes, version = next_version WHERE kv.key = item.key;
  END LOOP;
  IF cardinality(insert_keys) > 0 THEN
    INSERT INTO @.kv (key, bytes, version)
      SELECT i.key, i.bytes, next_version FROM unnest(insert_keys, insert_bytes) AS i (key, bytes)
      ON CONFLICT (key) DO UPDATE SET bytes = excluded.bytes, version = excluded.version
        WHERE NOT (kv.key = ANY (absent_keys));
    GET DIAGNOSTICS inserted = ROW_COUNT;
    IF inserted <> cardinality(insert_keys) THEN
      RAISE EXCEPTION 'a key that was absent is there' USING ERRCODE = 'serialization_failure';
    END IF;
  END IF;
  IF cardinality(erase_keys) > 0 THEN
    DELETE FROM @.kv WHERE kv.key = ANY (erase_keys);
  END IF;
  RETURN next_version;
END
$body$
)sql";

// An absent key is held by a row put and erased at once: whoever would put the key waits until this transaction ends.
constexpr const char* kFence = R"sql(
CREATE FUNCTION @.fence(guard bytea) RETURNS void LANGUAGE plpgsql SET enable_seqscan = off AS $body$
BEGIN
  LOOP
    PERFORM 1 FROM @.kv WHERE kv.key = guard FOR UPDATE;
    EXIT WHEN FOUND;
    INSERT INTO @.kv (key, bytes, version) VALUES (guard, '', 0) ON CONFLICT (key) DO NOTHING;
    IF FOUND THEN
      DELETE FROM @.kv WHERE kv.key = guard;
      EXIT;
    END IF;
  END LOOP;
END
$body$
)sql";

/// The error with the volume's name before it, unless the connection was the matter, whose message is complete.
Failure failed(Error cause, const std::string& action, const std::string& where) {
  if (cause.code == Code::kUnavailable) return Failure(std::move(cause));
  return error(cause.code, "cannot {} a volume at {}: {}", action, where, cause.what);
}

}  // namespace

Status PostgresSchema::create(PostgresConnection& connection, const std::string& where) const {
  Result<Found> found = look(connection);
  if (!found) return failed(found.error(), "create", where);
  if (found->ours) return error(Code::kExists, "there is a volume at {} already", where);
  if (found->others)
    return error(Code::kNotEmpty, "schema {} at {} has tables of something else; name another with ?schema=", quoted_,
                 where);
  std::vector<PostgresStatement> statements;
  for (const char* table : kTables) statements.emplace_back(in_schema(table));
  statements.emplace_back(in_schema(kCommit));
  statements.emplace_back(in_schema(kFence));
  statements.emplace_back(in_schema("INSERT INTO @.engine VALUES ($1)")).integer(kFormat);
  Result<std::vector<PostgresRows>> created = connection.run(statements);
  if (!created) return failed(created.error(), "create", where);
  return {};
}

Status PostgresSchema::check(PostgresConnection& connection, const std::string& where) const {
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
  return {};
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

PostgresStatement PostgresSchema::get(std::string_view key) const {
  PostgresStatement statement(in_schema("SELECT key, bytes, version FROM @.kv WHERE key = $1"));
  statement.bytes(key);
  return statement;
}

PostgresStatement PostgresSchema::get_many(const std::vector<std::string_view>& keys) const {
  PostgresStatement statement(in_schema("SELECT key, bytes, version FROM @.kv WHERE key = ANY ($1)"));
  statement.bytes_array(keys);
  return statement;
}

PostgresStatement PostgresSchema::scan(std::string_view begin, std::string_view end, size_t limit, bool reverse) const {
  PostgresStatement statement(
      in_schema(fmt::format("SELECT key, bytes, version FROM @.kv WHERE key >= $1{} ORDER BY key{} LIMIT {}",
                            end.empty() ? "" : " AND key < $2", reverse ? " DESC" : "", limit)));
  statement.bytes(begin);
  if (!end.empty()) statement.bytes(end);
  return statement;
}

PostgresStatement PostgresSchema::fence(std::string_view key) const {
  PostgresStatement statement(in_schema("SELECT @.fence($1)"));
  statement.bytes(key);
  return statement;
}

PostgresStatement PostgresSchema::commit() const {
  return PostgresStatement(in_schema("SELECT @.commit($1, $2, $3, $4, $5, $6, $7, $8, $9)"));
}

}  // namespace weir::kv
