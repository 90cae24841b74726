#include "kv/postgres/postgres_engine.h"

#include "base/clock.h"
#include "base/limits.h"
#include "kv/postgres/postgres_transaction.h"
#include "kv/recalled_rows.h"

namespace weir::kv {
namespace {

class PostgresEngine final : public Engine {
 public:
  explicit PostgresEngine(PostgresUrl url) : schema_(url.schema), pool_(std::move(url)) {}

  Status set_up(bool create, const Layout& layout) {
    ASSIGN_OR_RETURN(PostgresPool::Lease lease, pool_.checkout());
    TRY(create ? schema_.create(*lease.operator->(), name(), layout) : schema_.check(*lease.operator->(), name()));
    pool_.be_patient();
    return {};
  }

  std::unique_ptr<Transaction> begin() override {
    return std::make_unique<PostgresTransaction>(pool_, schema_, recalled_);
  }
  // Every commit waited for the server's own log.
  Status barrier() override { return {}; }
  void stop_waiting() { pool_.stop_waiting(); }
  int64_t server_away_ms() const { return pool_.server_away_ms(); }
  Capabilities capabilities() const override {
    Capabilities capabilities;
    capabilities.shared = true;
    capabilities.durable_commit = true;
    capabilities.persistent = true;
    return capabilities;
  }
  std::string name() const override { return pool_.url().display; }

 private:
  PostgresSchema schema_;  // changes no more after set_up()
  PostgresPool pool_;
  SystemClock clock_;
  RecalledRows recalled_{clock_, limits::kRecalledMs};
};

}  // namespace

Result<std::unique_ptr<Engine>> open_postgres(const std::string& url, bool create, const Layout& layout) {
  ASSIGN_OR_RETURN(PostgresUrl parsed, parse_postgres_url(url));
  auto engine = std::make_unique<PostgresEngine>(std::move(parsed));
  TRY(engine->set_up(create, layout));
  return engine;
}

void stop_waiting_for_server(Engine& engine) {
  if (auto* postgres = dynamic_cast<PostgresEngine*>(&engine)) postgres->stop_waiting();
}

int64_t server_away_ms(Engine& engine) {
  auto* postgres = dynamic_cast<PostgresEngine*>(&engine);
  return postgres != nullptr ? postgres->server_away_ms() : 0;
}

}  // namespace weir::kv
