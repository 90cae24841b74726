#include "kv/postgres/postgres_engine.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <thread>

#include "base/limits.h"
#include "kv/conformance.h"
#include "kv/postgres/postgres_connection.h"
#include "testing/postgres_server.h"

namespace weir::kv {
namespace {

void sleep_ms(int duration_ms) { std::this_thread::sleep_for(std::chrono::milliseconds(duration_ms)); }

/// A server for these tests, which kill it now and then; a schema for each test.
class PostgresEngine : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    auto started = testing::PostgresServer::start();
    ASSERT_TRUE(started) << started.error().what;
    server_ = std::move(*started);
  }
  static void TearDownTestSuite() { server_.reset(); }

  void SetUp() override {
    ASSERT_TRUE(server_) << "the server did not start";
    static int tests = 0;
    schema_ = fmt::format("test{}", ++tests);
  }

  std::unique_ptr<Engine> open(bool create) {
    auto engine = open_postgres(url(), create);
    EXPECT_TRUE(engine) << engine.error().what;
    return engine ? std::move(*engine) : nullptr;
  }
  std::string open_error(const std::string& url, bool create = false) {
    auto engine = open_postgres(url, create);
    return engine ? "ok" : std::string(code_name(engine.error().code)) + ": " + engine.error().what;
  }
  const std::string& schema() const { return schema_; }
  std::string url() const { return server_->url("schema=" + schema_); }

  /// As an administrator, over a connection of its own. The number of rows that came back.
  size_t administer(const std::string& sql) {
    auto connection = PostgresConnection::connect(*parse_postgres_url(server_->url()));
    EXPECT_TRUE(connection) << connection.error().what;
    if (!connection) return 0;
    auto done = (*connection)->run({PostgresStatement(sql)});
    EXPECT_TRUE(done) << done.error().what;
    return done ? done->front().count() : 0;
  }
  /// Ends all connections of others, and waits until they are gone.
  void hang_up_all() {
    const std::string others = " FROM pg_stat_activity WHERE application_name = 'weir' AND pid <> pg_backend_pid()";
    EXPECT_GT(administer("SELECT pg_terminate_backend(pid)" + others), 0u);
    while (administer("SELECT pid" + others) > 0) sleep_ms(5);
  }

  static std::unique_ptr<testing::PostgresServer> server_;
  std::string schema_;
};

std::unique_ptr<testing::PostgresServer> PostgresEngine::server_;

Result<Version> put(Engine& engine, std::string_view key, std::string_view bytes) {
  auto transaction = engine.begin();
  transaction->put(key, bytes);
  return transaction->commit();
}

std::string text(Engine& engine, std::string_view key) {
  auto value = engine.begin()->get(key);
  if (!value) return value.error().what;
  return *value ? (*value)->bytes : "(absent)";
}

TEST_F(PostgresEngine, says_what_is_missing) {
  EXPECT_TRUE(open_error(url()).starts_with("not_found: there is no volume at postgres:///postgres?host=/"))
      << open_error(url());
  const std::string no_database = open_error(server_->url("", "no_such_database"));
  EXPECT_TRUE(no_database.starts_with("not_found: cannot open database no_such_database on /")) << no_database;
  const std::string no_server = open_error("postgres://weir:secret@/db?host=/nonexistent");
  EXPECT_TRUE(no_server.starts_with("unavailable: cannot open database db on /nonexistent")) << no_server;
  EXPECT_EQ(no_server.find("secret"), std::string::npos);
  const std::string no_role = open_error("postgres://nobody_here@/postgres?" + url().substr(url().find("host=")));
  EXPECT_TRUE(no_role.starts_with("access: ")) << no_role;
}

TEST_F(PostgresEngine, does_not_create_over_a_volume) {
  auto engine = open(true);
  ASSERT_TRUE(put(*engine, "key", "value"));
  EXPECT_TRUE(open_error(url(), true).starts_with("exists: there is a volume at postgres:")) << open_error(url(), true);
  EXPECT_EQ(text(*engine, "key"), "value");
  EXPECT_TRUE(engine->capabilities().shared);
  EXPECT_TRUE(engine->capabilities().durable_commit);
}

TEST_F(PostgresEngine, of_many_that_create_at_once_one_does) {
  std::atomic<int> created = 0, existing = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      auto engine = open_postgres(url(), true);
      engine ? ++created : outcome(engine) == "exists" ? ++existing : existing.load();
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(created, 1);
  EXPECT_EQ(existing, 3);
}

TEST_F(PostgresEngine, leaves_alone_a_schema_with_something_else_and_takes_an_empty_one) {
  administer("CREATE SCHEMA " + schema());
  EXPECT_TRUE(open_error(url()).starts_with("not_found: "));
  administer("CREATE TABLE " + schema() + ".accounts (id int)");
  EXPECT_TRUE(open_error(url(), true).starts_with("not_empty: ")) << open_error(url(), true);
  administer("DROP TABLE " + schema() + ".accounts");
  EXPECT_EQ(open_error(url(), true), "ok");
}

TEST_F(PostgresEngine, refuses_what_a_newer_weir_made) {
  open(true);
  administer("UPDATE " + schema() + ".engine SET format = 3");
  EXPECT_TRUE(open_error(url()).starts_with("unsupported: ")) << open_error(url());
}

TEST_F(PostgresEngine, refuses_what_an_older_weir_made_and_what_only_looks_like_a_volume) {
  open(true);
  administer("UPDATE " + schema() + ".engine SET format = 1");
  EXPECT_TRUE(open_error(url()).starts_with("unsupported: ")) << open_error(url());
  administer("DELETE FROM " + schema() + ".engine");
  EXPECT_TRUE(open_error(url()).starts_with("invalid: ")) << open_error(url());
}

TEST_F(PostgresEngine, keeps_short_lived_rows_in_a_table_of_their_own) {
  auto first = open_postgres(url(), true, Layout{"bY"});
  ASSERT_TRUE(first) << first.error().what;
  for (const char* key : {"a1", "b1", "b2", "c1", "Y1"}) ASSERT_TRUE(put(**first, key, "value"));
  EXPECT_EQ(administer("SELECT 1 FROM " + schema() + ".brief"), 3u);
  EXPECT_EQ(administer("SELECT 1 FROM " + schema() + ".kv"), 2u);
  // Who opens it later knows the same.
  auto second = open(false);
  EXPECT_EQ(text(*second, "b1"), "value");
  ASSERT_TRUE(put(*second, "b3", "value"));
  EXPECT_EQ(administer("SELECT 1 FROM " + schema() + ".brief"), 4u);
  auto all = second->begin()->scan({}, 100);
  ASSERT_TRUE(all);
  std::string order;
  for (const KeyValue& row : *all) order += row.key + " ";
  EXPECT_EQ(order, "Y1 a1 b1 b2 b3 c1 ");
}

TEST_F(PostgresEngine, two_handles_see_and_validate_each_others_commits) {
  auto first = open(true), second = open(false);
  ASSERT_TRUE(put(*first, "key", "1"));
  auto transaction = second->begin();
  EXPECT_EQ((*transaction->get("key"))->bytes, "1");
  ASSERT_TRUE(put(*first, "key", "2"));
  transaction->put("key", "3");
  EXPECT_EQ(outcome(transaction->commit()), "conflict");
  constexpr int kIncrements = 40;
  ASSERT_TRUE(put(*first, "counter", "0"));
  auto count = [&](Engine& engine) {
    for (int done = 0; done < kIncrements;) {
      auto increment = engine.begin();
      auto value = increment->get("counter");
      ASSERT_TRUE(value) << value.error().what;
      increment->put("counter", std::to_string(std::stoi((*value)->bytes) + 1));
      if (increment->commit()) ++done;
    }
  };
  std::thread other([&] { count(*second); });
  count(*first);
  other.join();
  EXPECT_EQ(text(*first, "counter"), std::to_string(2 * kIncrements));
}

TEST_F(PostgresEngine, a_fence_holds_off_other_nodes) {
  auto first = open(true), second = open(false);
  auto fencing = first->begin();
  ASSERT_TRUE(fencing->fence("directory"));
  std::atomic<bool> committed = false;
  std::thread other([&] {
    auto transaction = second->begin();
    transaction->expect("directory", 0);
    transaction->put("directory/entry", "");
    EXPECT_EQ(outcome(transaction->commit()), "ok");
    committed = true;
  });
  sleep_ms(100);
  EXPECT_FALSE(committed);
  EXPECT_EQ(fencing->scan(KeyRange::prefix("directory/"), 1)->size(), 0u);
  fencing.reset();
  other.join();
}

TEST_F(PostgresEngine, reads_and_commits_go_on_after_the_server_hung_up_on_idle_connections) {
  auto engine = open(true);
  ASSERT_TRUE(put(*engine, "key", "1"));
  hang_up_all();
  EXPECT_EQ(text(*engine, "key"), "1");
  hang_up_all();
  EXPECT_EQ(outcome(put(*engine, "key", "2")), "ok");
}

TEST_F(PostgresEngine, a_transaction_whose_fence_the_server_ended_conflicts) {
  auto engine = open(true);
  auto fencing = engine->begin();
  ASSERT_TRUE(fencing->fence("guard"));
  fencing->put("key", "value");
  hang_up_all();
  EXPECT_EQ(outcome(fencing->commit()), "conflict");
  EXPECT_EQ(text(*engine, "key"), "(absent)");
  auto reading = engine->begin();
  ASSERT_TRUE(reading->fence("guard"));
  hang_up_all();
  EXPECT_EQ(outcome(reading->get("key")), "conflict");
  EXPECT_EQ(outcome(reading->fence("another")), "conflict");
}

TEST_F(PostgresEngine, a_commit_whose_reply_is_lost_may_have_been_committed) {
  auto engine = open(true), other = open(false);
  auto fencing = other->begin();
  ASSERT_TRUE(fencing->fence("guard"));
  std::string result;
  std::thread committer([&] {
    auto transaction = engine->begin();
    transaction->expect("guard", 0);
    transaction->put("key", "value");
    result = outcome(transaction->commit());
  });
  sleep_ms(150);
  EXPECT_TRUE(server_->kill());
  committer.join();
  EXPECT_EQ(result, "maybe_committed");
  fencing.reset();
  // Who comes meanwhile waits for the server, and goes on.
  std::atomic<int> waiting = 2;
  std::thread reader([&] {
    EXPECT_EQ(text(*engine, "key"), "(absent)");
    --waiting;
  });
  std::thread writer([&] {
    EXPECT_EQ(outcome(put(*engine, "another", "value")), "ok");
    --waiting;
  });
  sleep_ms(600);
  EXPECT_EQ(waiting, 2);
  Status started = server_->start_again();
  ASSERT_TRUE(started) << started.error().what;
  reader.join();
  writer.join();
  EXPECT_EQ(text(*engine, "another"), "value");
}

TEST_F(PostgresEngine, nobody_waits_any_more_for_a_server_when_the_process_is_about_to_end) {
  auto engine = open(true);
  ASSERT_TRUE(server_->kill());
  std::vector<std::thread> waiting;
  for (size_t i = 0; i < 2 * limits::kPostgresConnections; ++i)
    waiting.emplace_back([&] { EXPECT_EQ(outcome(engine->begin()->get("key")), "unavailable"); });
  sleep_ms(400);
  stop_waiting_for_server(*engine);
  for (std::thread& thread : waiting) thread.join();
  EXPECT_EQ(outcome(put(*engine, "key", "value")), "unavailable");
  ASSERT_TRUE(server_->start_again());
}

TEST_F(PostgresEngine, a_server_that_is_not_there_at_first_is_not_waited_for) {
  open(true);
  ASSERT_TRUE(server_->kill());
  EXPECT_TRUE(open_error(url()).starts_with("unavailable: ")) << open_error(url());
  Status started = server_->start_again();
  ASSERT_TRUE(started) << started.error().what;
  EXPECT_EQ(open_error(url()), "ok");
}

TEST_F(PostgresEngine, a_crash_of_the_server_reuses_no_version) {
  auto engine = open(true);
  Result<Version> before = put(*engine, "key", "1");
  ASSERT_TRUE(before);
  ASSERT_TRUE(server_->kill());
  ASSERT_TRUE(server_->start_again());
  Result<Version> after = put(*engine, "key", "2");
  ASSERT_TRUE(after) << after.error().what;
  EXPECT_GT(*after, *before);
}

TEST_F(PostgresEngine, a_read_beside_fences_does_not_wait_for_them) {
  auto engine = open(true);
  std::vector<std::unique_ptr<Transaction>> fencing;
  for (size_t i = 0; i < limits::kPostgresFencers; ++i) {
    fencing.push_back(engine->begin());
    ASSERT_TRUE(fencing.back()->fence(fmt::format("guard{}", i)));
  }
  EXPECT_EQ(text(*engine, "key"), "(absent)");
  EXPECT_EQ(outcome(put(*engine, "key", "value")), "ok");
}

TEST_F(PostgresEngine, uses_few_connections_and_waits_for_a_free_one) {
  auto engine = open(true);
  std::vector<std::unique_ptr<Transaction>> fencing;
  for (size_t i = 0; i < limits::kPostgresFencers; ++i) {
    fencing.push_back(engine->begin());
    ASSERT_TRUE(fencing.back()->fence(fmt::format("guard{}", i)));
  }
  EXPECT_LE(administer("SELECT 1 FROM pg_stat_activity WHERE application_name = 'weir' AND pid <> pg_backend_pid()"),
            limits::kPostgresConnections);
  std::atomic<bool> done = false;
  std::thread other([&] {
    EXPECT_TRUE(engine->begin()->fence("another guard"));
    done = true;
  });
  sleep_ms(80);
  EXPECT_FALSE(done);
  fencing.pop_back();
  other.join();
  EXPECT_TRUE(done);
}

TEST_F(PostgresEngine, leaves_no_setting_in_the_session) {
  auto parsed = parse_postgres_url(url());
  auto connection = PostgresConnection::connect(*parsed);
  ASSERT_TRUE(connection) << connection.error().what;
  auto settings = [&] {
    auto rows =
        (*connection)
            ->run({PostgresStatement(
                "SELECT string_agg(convert_to(name || setting, 'UTF8'), ' ' ORDER BY name) FROM pg_settings WHERE name "
                "IN"
                " ('statement_timeout', 'lock_timeout', 'idle_in_transaction_session_timeout', 'enable_seqscan')")});
    EXPECT_TRUE(rows) << rows.error().what;
    return std::string(rows->front().bytes(0, 0));
  };
  const std::string before = settings();
  auto done = (*connection)
                  ->run({PostgresStatement("SELECT set_config('statement_timeout', '1234', true)"),
                         PostgresStatement("SELECT current_setting('statement_timeout')::bytea")});
  ASSERT_TRUE(done) << done.error().what;
  EXPECT_EQ(done->at(1).bytes(0, 0), "1234ms") << "in force for the rest of the round trip";
  EXPECT_EQ(settings(), before);
}

}  // namespace
}  // namespace weir::kv
