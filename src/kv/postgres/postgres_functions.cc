#include "kv/postgres/postgres_functions.h"

namespace weir::kv::sql {

// Rows of `brief` are written over and over, or come and go: half of each page is kept free so that the new state of a
// row lies beside the old one and no index is touched, and vacuuming begins early and does not pause. An inode with its
// content lies in the table itself, as it is: in a table beside it, it would be three rows more, and it seldom shrinks.
const char* const kTables[5] = {
    "CREATE SCHEMA IF NOT EXISTS @",
    "CREATE TABLE @.kv (key bytea PRIMARY KEY, bytes bytea NOT NULL, version bigint NOT NULL)"
    " WITH (fillfactor = 90, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 1000,"
    " autovacuum_analyze_scale_factor = 0.05, toast_tuple_target = 8160)",
    "ALTER TABLE @.kv ALTER COLUMN bytes SET STORAGE EXTERNAL",
    "CREATE TABLE @.brief (key bytea PRIMARY KEY, bytes bytea NOT NULL, version bigint NOT NULL)"
    " WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 500,"
    " autovacuum_vacuum_insert_threshold = 5000, autovacuum_vacuum_insert_scale_factor = 0,"
    " autovacuum_vacuum_cost_delay = 0, autovacuum_analyze_scale_factor = 0, autovacuum_analyze_threshold = 5000)",
    "CREATE TABLE @.engine (format bigint NOT NULL, short_lived bytea NOT NULL)",
};

const char* const kFunctions[2] = {
    // First every lock over both what was read and what is written, in key order, each in its final strength: two
    // commits never wait for each other. A row that another transaction changed meanwhile is seen as that left it. Then
    // inserts, in key order, of one table after those of the other; one that finds a row where none may be, or lost a
    // race, undoes all. They are made in slices: who lost a race for many keys, after it waited, gives up at the first.
    //   check_keys      read or written, ascending      check_versions  NULL: not validated
    //   check_kinds     1: of brief, plus 2: for writing
    //   update_*        validated as present
    //   insert_*        absent, or not validated        absent_keys     of these, validated as absent
    R"sql(
CREATE FUNCTION @.commit(check_keys bytea[], check_versions bigint[], check_kinds bigint[], absent_keys bytea[],
                         update_keys bytea[], update_bytes bytea[],
                         insert_keys bytea[], insert_bytes bytea[], erase_keys bytea[],
                         brief_update_keys bytea[], brief_update_bytes bytea[],
                         brief_insert_keys bytea[], brief_insert_bytes bytea[], brief_erase_keys bytea[])
RETURNS bigint LANGUAGE plpgsql AS $body$
DECLARE
  stale boolean;
  next_version bigint;
  inserted bigint;
  highest int;
  slice CONSTANT int := 64;
BEGIN
  -- Of those who would put the same many keys one goes on; the others need not look at all of them to find that out.
  -- Nothing else is locked yet.
  IF cardinality(absent_keys) >= slice THEN
    PERFORM pg_advisory_xact_lock(hashtextextended(encode(absent_keys[1], 'hex'), 0));
    IF EXISTS (SELECT 1 FROM @.kv t WHERE t.key = absent_keys[1]) THEN
      RETURN 0;
    END IF;
  END IF;
  SELECT bool_or(wanted.version <> coalesce(a.version, b.version, c.version, d.version, 0)) INTO stale
    FROM unnest(check_keys, check_versions, check_kinds) AS wanted (key, version, kind)
    LEFT JOIN LATERAL (SELECT t.version FROM @.kv t WHERE t.key = wanted.key AND wanted.kind = 0 FOR SHARE)
      AS a ON true
    LEFT JOIN LATERAL (SELECT t.version FROM @.brief t WHERE t.key = wanted.key AND wanted.kind = 1 FOR SHARE)
      AS b ON true
    LEFT JOIN LATERAL (SELECT t.version FROM @.kv t WHERE t.key = wanted.key AND wanted.kind = 2 FOR UPDATE)
      AS c ON true
    LEFT JOIN LATERAL (SELECT t.version FROM @.brief t WHERE t.key = wanted.key AND wanted.kind = 3 FOR UPDATE)
      AS d ON true;
  IF stale THEN
    RETURN 0;
  END IF;
  -- An acknowledged commit is on disk, whatever the database's default.
  IF current_setting('synchronous_commit') = 'off' THEN
    PERFORM set_config('synchronous_commit', 'local', true);
  END IF;
  next_version := nextval('@.versions');
  IF cardinality(update_keys) > 0 THEN
    UPDATE @.kv t SET bytes = u.bytes, version = next_version
      FROM unnest(update_keys, update_bytes) AS u (key, bytes) WHERE t.key = u.key;
  END IF;
  IF cardinality(brief_update_keys) > 0 THEN
    UPDATE @.brief t SET bytes = u.bytes, version = next_version
      FROM unnest(brief_update_keys, brief_update_bytes) AS u (key, bytes) WHERE t.key = u.key;
  END IF;
  FOR lowest IN 1 .. cardinality(insert_keys) BY slice LOOP
    highest := least(lowest + slice - 1, cardinality(insert_keys));
    INSERT INTO @.kv AS t (key, bytes, version)
      SELECT i.key, i.bytes, next_version
        FROM unnest(insert_keys[lowest:highest], insert_bytes[lowest:highest]) AS i (key, bytes)
      ON CONFLICT (key) DO UPDATE SET bytes = excluded.bytes, version = excluded.version
        WHERE NOT (t.key = ANY (absent_keys));
    GET DIAGNOSTICS inserted = ROW_COUNT;
    IF inserted <> highest - lowest + 1 THEN
      RAISE EXCEPTION 'a key that was absent is there' USING ERRCODE = 'serialization_failure';
    END IF;
  END LOOP;
  FOR lowest IN 1 .. cardinality(brief_insert_keys) BY slice LOOP
    highest := least(lowest + slice - 1, cardinality(brief_insert_keys));
    INSERT INTO @.brief AS t (key, bytes, version)
      SELECT i.key, i.bytes, next_version
        FROM unnest(brief_insert_keys[lowest:highest], brief_insert_bytes[lowest:highest]) AS i (key, bytes)
      ON CONFLICT (key) DO UPDATE SET bytes = excluded.bytes, version = excluded.version
        WHERE NOT (t.key = ANY (absent_keys));
    GET DIAGNOSTICS inserted = ROW_COUNT;
    IF inserted <> highest - lowest + 1 THEN
      RAISE EXCEPTION 'a key that was absent is there' USING ERRCODE = 'serialization_failure';
    END IF;
  END LOOP;
  IF cardinality(erase_keys) > 0 THEN
    DELETE FROM @.kv t WHERE t.key = ANY (erase_keys);
  END IF;
  IF cardinality(brief_erase_keys) > 0 THEN
    DELETE FROM @.brief t WHERE t.key = ANY (brief_erase_keys);
  END IF;
  RETURN next_version;
END
$body$
)sql",
    // An absent key is held by a row put and erased at once: whoever would put the key waits until this transaction
    // ends.
    R"sql(
CREATE FUNCTION @.fence(guard bytea, is_brief boolean) RETURNS void LANGUAGE plpgsql AS $body$
BEGIN
  LOOP
    IF is_brief THEN
      PERFORM 1 FROM @.brief t WHERE t.key = guard FOR UPDATE;
      EXIT WHEN FOUND;
      INSERT INTO @.brief (key, bytes, version) VALUES (guard, '', 0) ON CONFLICT (key) DO NOTHING;
      IF FOUND THEN
        DELETE FROM @.brief t WHERE t.key = guard;
        EXIT;
      END IF;
    ELSE
      PERFORM 1 FROM @.kv t WHERE t.key = guard FOR UPDATE;
      EXIT WHEN FOUND;
      INSERT INTO @.kv (key, bytes, version) VALUES (guard, '', 0) ON CONFLICT (key) DO NOTHING;
      IF FOUND THEN
        DELETE FROM @.kv t WHERE t.key = guard;
        EXIT;
      END IF;
    END IF;
  END LOOP;
END
$body$
)sql",
};

}  // namespace weir::kv::sql
