#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "http/client.h"
#include "http/server.h"

namespace weir::http {

/// A server on the loopback address, and ways to ask it.
class ServerFixture : public ::testing::Test {
 protected:
  void start(std::vector<Route> routes, const ServerOptions& options = {}) {
    auto listener = Listener::bind({"127.0.0.1", 0});
    ASSERT_TRUE(listener);
    auto started = Server::start(std::move(*listener), std::move(routes), clock, options);
    ASSERT_TRUE(started) << started.error().what;
    server = std::move(*started);
  }
  Patience patience(int64_t ms = 10'000) { return {&clock, clock.monotonic_ns() + ms * 1'000'000, ms}; }
  std::unique_ptr<ClientConnection> connect() {
    auto connection = ClientConnection::open(server->address(), patience());
    EXPECT_TRUE(connection);
    return connection ? std::move(*connection) : nullptr;
  }
  Result<Reply> ask(const Ask& wanted) { return connect()->ask(wanted, {}, patience()); }

  SystemClock clock;
  std::unique_ptr<Server> server;
};

}  // namespace weir::http
