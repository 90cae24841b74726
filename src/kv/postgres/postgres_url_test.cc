#include "kv/postgres/postgres_url.h"

#include <gtest/gtest.h>

#include "kv/conformance.h"

namespace weir::kv {
namespace {

TEST(PostgresUrl, gives_our_parameter_to_us_and_the_others_to_libpq) {
  auto url = parse_postgres_url("postgres://user:secret@db.example:5433/volumes?sslmode=require&schema=prod&options=");
  ASSERT_TRUE(url) << url.error().what;
  EXPECT_EQ(url->for_libpq, "postgres://user:secret@db.example:5433/volumes?sslmode=require&options=");
  EXPECT_EQ(url->schema, "prod");
  EXPECT_EQ(url->display, "postgres://db.example:5433/volumes?schema=prod");
  EXPECT_EQ(url->server, "db.example:5433");
  EXPECT_EQ(url->database, "volumes");
  url = parse_postgres_url("postgresql://db.example/volumes?schema=weir");
  ASSERT_TRUE(url) << url.error().what;
  EXPECT_EQ(url->for_libpq, "postgresql://db.example/volumes");
  EXPECT_EQ(url->display, "postgres://db.example/volumes");
  url = parse_postgres_url("postgres:///volumes?host=/run/postgresql");
  ASSERT_TRUE(url) << url.error().what;
  EXPECT_EQ(url->schema, "weir");
  EXPECT_EQ(url->display, "postgres:///volumes?host=/run/postgresql");
}

TEST(PostgresUrl, refuses_schemas_that_would_need_care) {
  for (const std::string schema : {"", "Weir", "a-b", "a\"b", "pg_catalog", "1a", "a%20b"})
    EXPECT_EQ(outcome(parse_postgres_url("postgres://host/db?schema=" + schema)), "invalid") << schema;
  EXPECT_EQ(outcome(parse_postgres_url("postgres://host/db?schema=" + std::string(64, 'a'))), "invalid");
  EXPECT_EQ(outcome(parse_postgres_url("postgres://host/db?schema=" + std::string(63, 'a'))), "ok");
}

TEST(PostgresUrl, never_repeats_a_password_it_could_not_read) {
  for (const std::string url : {"postgres://user:hidden/secret@host/db", "postgres://user:hidden@secret@host/db",
                                "postgres://user:secret@host/db?no_such_parameter=1", "postgres://[secret/db"}) {
    auto parsed = parse_postgres_url(url);
    EXPECT_EQ(outcome(parsed), "invalid") << url;
    if (parsed) continue;
    EXPECT_EQ(parsed.error().what.find("secret"), std::string::npos);
    EXPECT_EQ(parsed.error().what.find("hidden"), std::string::npos);
  }
}

}  // namespace
}  // namespace weir::kv
