// The engine behind pgbouncer in transaction mode: each SQL transaction may get another session.
#include <gtest/gtest.h>
#include <pwd.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <thread>

#include "base/limits.h"
#include "kv/conformance.h"
#include "kv/postgres/postgres_connection.h"
#include "kv/postgres/postgres_engine.h"
#include "testing/postgres_server.h"
#include "testing/temporary_directory.h"

namespace weir::kv {
namespace {

/// pgbouncer with two sessions to the server for all of its clients.
class Pooler {
 public:
  static constexpr const char* kProgram = "/usr/sbin/pgbouncer";

  explicit Pooler(const std::string& server_directory) {
    const std::string path = directory_.path();
    std::ofstream(path + "/users") << "\"weir\" \"\"\n";
    std::ofstream(path + "/configuration")
        << "[databases]\npostgres = host=" << server_directory << " dbname=postgres user=weir\n"
        << "[pgbouncer]\npool_mode = transaction\ndefault_pool_size = 2\nauth_type = any\n"
        << "auth_file = " << path << "/users\nunix_socket_dir = " << path << "\nlogfile = " << path << "/log\n"
        << "listen_addr =\nlisten_port = 6432\n";
    std::filesystem::permissions(path, std::filesystem::perms::all);
    process_ = ::fork();
    if (process_ == 0) {
      // It refuses to run as root.
      if (const passwd* user = ::getpwnam("postgres"); user != nullptr && ::geteuid() == 0) {
        if (::setgid(user->pw_gid) != 0 || ::setuid(user->pw_uid) != 0) ::_exit(126);
      }
      ::execl(kProgram, kProgram, "--quiet", (path + "/configuration").c_str(), nullptr);
      ::_exit(127);
    }
    for (int i = 0; i < 500 && !std::filesystem::exists(path + "/.s.PGSQL.6432"); ++i) ::usleep(10'000);
  }
  ~Pooler() {
    ::kill(process_, SIGKILL);
    ::waitpid(process_, nullptr, 0);
  }
  Pooler(const Pooler&) = delete;
  Pooler& operator=(const Pooler&) = delete;

  std::string url(const std::string& schema) const {
    return fmt::format("postgres://weir@:6432/postgres?host={}&schema={}", directory_.path(), schema);
  }

 private:
  testing::TemporaryDirectory directory_;
  pid_t process_ = -1;
};

std::string directory_of(const std::string& server_url) {
  const std::string directory = server_url.substr(server_url.find("host=") + 5);
  return directory.substr(0, directory.find('&'));
}

class PostgresPooler : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!std::filesystem::exists(Pooler::kProgram)) GTEST_SKIP() << "pgbouncer is not installed";
    auto started = testing::PostgresServer::start();
    ASSERT_TRUE(started) << started.error().what;
    server_ = std::move(*started);
    pooler_ = std::make_unique<Pooler>(directory_of(server_->url()));
  }

  std::unique_ptr<testing::PostgresServer> server_;
  std::unique_ptr<Pooler> pooler_;
};

TEST_F(PostgresPooler, a_pooler_is_noticed_and_nothing_is_left_in_its_sessions) {
  auto direct = PostgresConnection::connect(*parse_postgres_url(server_->url()));
  ASSERT_TRUE(direct) << direct.error().what;
  EXPECT_FALSE((*direct)->pooled());
  auto engine = open_postgres(pooler_->url("weir"), true);
  ASSERT_TRUE(engine) << engine.error().what;
  for (int i = 0; i < 10; ++i) {
    auto transaction = (*engine)->begin();
    ASSERT_TRUE(transaction->fence("guard"));
    ASSERT_TRUE(transaction->get("key"));
    transaction->put("key", "value");
    ASSERT_EQ(outcome(transaction->commit()), "ok");
  }
  auto pooled = PostgresConnection::connect(*parse_postgres_url(pooler_->url("weir")));
  ASSERT_TRUE(pooled) << pooled.error().what;
  EXPECT_TRUE((*pooled)->pooled());
  auto rows = (*pooled)->run({PostgresStatement("SELECT count(*) FROM pg_prepared_statements"),
                              PostgresStatement("SELECT count(*) FROM pg_settings WHERE source = 'session' AND name IN"
                                                " ('statement_timeout', 'lock_timeout', 'enable_seqscan',"
                                                " 'plan_cache_mode', 'idle_in_transaction_session_timeout')")});
  ASSERT_TRUE(rows) << rows.error().what;
  EXPECT_EQ(rows->at(0).integer(0, 0), 0);
  EXPECT_EQ(rows->at(1).integer(0, 0), 0);
}

TEST_F(PostgresPooler, many_threads_of_two_nodes_count_right_over_two_sessions) {
  constexpr int kThreads = 3, kIncrements = 25;
  auto first = open_postgres(pooler_->url("weir"), true);
  ASSERT_TRUE(first) << first.error().what;
  auto second = open_postgres(pooler_->url("weir"), false);
  ASSERT_TRUE(second) << second.error().what;
  {
    auto transaction = (*first)->begin();
    transaction->put("counter", "0");
    ASSERT_TRUE(transaction->commit());
  }
  std::vector<std::thread> threads;
  for (int i = 0; i < 2 * kThreads; ++i) {
    threads.emplace_back([&, i] {
      Engine& engine = i % 2 == 0 ? **first : **second;
      for (int done = 0; done < kIncrements;) {
        auto transaction = engine.begin();
        auto value = transaction->get("counter");
        ASSERT_TRUE(value) << value.error().what;
        transaction->put("counter", std::to_string(std::stoi((*value)->bytes) + 1));
        if (transaction->commit()) ++done;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ((*(*first)->begin()->get("counter"))->bytes, std::to_string(2 * kThreads * kIncrements));
}

TEST_F(PostgresPooler, who_takes_a_session_for_its_own_and_finds_another_goes_on) {
  auto direct = PostgresConnection::connect(*parse_postgres_url(server_->url()));
  ASSERT_TRUE(direct);
  // What a pooler does that hides itself: the session of the next statement has none of those that were prepared.
  const PostgresStatement forget("DEALLOCATE ALL");
  PostgresStatement one("SELECT 1::bigint");
  one.repeated();
  ASSERT_TRUE((*direct)->run({one}));
  ASSERT_TRUE((*direct)->run({forget}));
  auto rows = (*direct)->run({one});
  ASSERT_TRUE(rows) << rows.error().what;
  EXPECT_EQ(rows->front().integer(0, 0), 1);
  EXPECT_TRUE((*direct)->pooled());
}

}  // namespace
}  // namespace weir::kv
