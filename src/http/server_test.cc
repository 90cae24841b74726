#include "http/server.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>

#include <atomic>
#include <thread>

#include "base/io.h"
#include "http/server_fixture.h"
#include "testing/temporary_directory.h"

namespace weir::http {
namespace {

Route echo(std::string prefix, size_t body_bytes_max = 1024) {
  return {prefix, body_bytes_max, [prefix](Request& request) {
            return Response::text(200,
                                  fmt::format("{} {} {} {}", prefix, request.method, request.target, request.body));
          }};
}

/// A socket that says what the test wants, not what a right client says.
class RawClient {
 public:
  explicit RawClient(const Address& address) : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    auto target = SocketAddress::of(address);
    EXPECT_EQ(::connect(socket_.get(), target->get(), target->size), 0);
  }
  void send(std::string_view text) { ::send(socket_.get(), text.data(), text.size(), MSG_NOSIGNAL); }
  /// What comes until the server closes, within the time; "open" behind it if it does not.
  std::string receive(int64_t within_ms) {
    std::string all;
    SystemClock clock;
    const int64_t end_ns = clock.monotonic_ns() + within_ms * 1'000'000;
    for (;;) {
      pollfd entry{socket_.get(), POLLIN, 0};
      if (::poll(&entry, 1, 50) > 0) {
        char bytes[4096];
        const ssize_t count = ::recv(socket_.get(), bytes, sizeof bytes, 0);
        if (count <= 0) return all;
        all.append(bytes, static_cast<size_t>(count));
      }
      if (clock.monotonic_ns() > end_ns) return all + "open";
    }
  }

 private:
  FileDescriptor socket_;
};

class ServerTest : public ServerFixture {};

TEST_F(ServerTest, TheLongestPrefixGetsTheRequest) {
  start({echo("/"), echo("/peer/"), echo("/peer/v1/messages/")});
  EXPECT_EQ(ask({"GET", "/healthz", {}, ""})->body, "/ GET /healthz \n");
  EXPECT_EQ(ask({"POST", "/peer/v1/messages/x?a=b", {}, "body"})->body,
            "/peer/v1/messages/ POST /peer/v1/messages/x?a=b body\n");
  EXPECT_EQ(ask({"GET", "/peer/x", {}, ""})->body, "/peer/ GET /peer/x \n");
}

TEST_F(ServerTest, WhatHasNoRouteIsNotFound) {
  start({echo("/peer/")});
  EXPECT_EQ(ask({"GET", "/else", {}, ""})->status, 404);
}

TEST_F(ServerTest, OneConnectionCarriesManyRequestsAndKeepsItsState) {
  struct Count : ConnectionState {
    int requests = 0;
  };
  start({{"/", 0, [](Request& request) {
            if (!*request.state) *request.state = std::make_unique<Count>();
            return Response::text(200, std::to_string(++static_cast<Count&>(**request.state).requests));
          }}});
  auto connection = connect();
  for (int i = 1; i <= 3; ++i)
    EXPECT_EQ(connection->ask({"GET", "/", {}, ""}, {}, patience())->body, fmt::format("{}\n", i));
  EXPECT_EQ(connect()->ask({"GET", "/", {}, ""}, {}, patience())->body, "1\n");
}

TEST_F(ServerTest, SendsAPartOfAFile) {
  testing::TemporaryDirectory directory;
  std::string bytes(1 << 20, '\0');
  for (size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<char>(i * 2654435761u >> 24);
  const std::string path = directory.path() + "/file";
  ASSERT_TRUE(io::write_file_durably(path, bytes));
  start({{"/", 0, [&](Request&) {
            return Response{200, {}, "", FilePart{*io::open_file(path, O_RDONLY), 4096, 500'000}};
          }}});
  std::string got(500'000, '\0');
  auto reply = connect()->ask({"GET", "/", {}, ""}, std::span<char>(got.data(), got.size()), patience());
  ASSERT_TRUE(reply) << reply.error().what;
  EXPECT_TRUE(reply->in_buffer);
  EXPECT_EQ(got, bytes.substr(4096, 500'000));
}

TEST_F(ServerTest, RefusesARequestThatIsTooBig) {
  std::atomic<int> handled = 0;
  start({{"/", 100, [&](Request&) {
            ++handled;
            return Response{};
          }}});
  EXPECT_EQ(ask({"POST", "/", {}, std::string(100, 'x')})->status, 200);
  EXPECT_EQ(ask({"POST", "/", {}, std::string(101, 'x')})->status, 413);
  // One that does not say how long it is, and never ends, is cut off.
  RawClient endless(server->address());
  endless.send("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n");
  for (int i = 0; i < 20; ++i) endless.send("a\r\n0123456789\r\n");
  EXPECT_EQ(endless.receive(5000).find("open"), std::string::npos);
  // And so is a head without end.
  RawClient long_head(server->address());
  long_head.send("GET / HTTP/1.1\r\nX: " + std::string(limits::kHttpHeadBytes * 2, 'x'));
  EXPECT_EQ(long_head.receive(5000).find("open"), std::string::npos);
  EXPECT_EQ(handled, 1);
}

TEST_F(ServerTest, ABodyThatBreaksOffIsNotHandled) {
  std::atomic<int> handled = 0;
  start({{"/", 100, [&](Request&) {
            ++handled;
            return Response{};
          }}});
  {
    RawClient client(server->address());
    client.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 50\r\n\r\nhalf of it");
  }
  EXPECT_EQ(ask({"POST", "/", {}, "whole"})->status, 200);
  EXPECT_EQ(handled, 1);
}

TEST_F(ServerTest, ASlowClientLosesItsConnectionAndHoldsUpNobody) {
  ServerOptions options;
  options.request_ms = 600;
  options.idle_ms = 1500;
  start({echo("/")}, options);
  RawClient slow(server->address());
  slow.send("POST /slow HTTP/1.1\r\nHost: x\r\nContent-Length: 50\r\n\r\n");
  std::thread trickle([&] {
    for (int i = 0; i < 30; ++i) {
      slow.send("x");
      clock.sleep_ms(50);
    }
  });
  RawClient silent(server->address());
  EXPECT_EQ(ask({"GET", "/quick", {}, ""})->status, 200);
  EXPECT_EQ(slow.receive(4000), "");
  EXPECT_EQ(silent.receive(5000), "");
  trickle.join();
  EXPECT_EQ(server->connections(), 0u);
}

TEST_F(ServerTest, AClientThatDoesNotTakeItsResponseLosesItsConnection) {
  ServerOptions options;
  options.response_ms = 300;
  options.slowest_bytes_per_ms = 64u << 10;
  const std::string big(64u << 20, 'x');
  start({{"/", 0, [&](Request&) { return Response{200, {}, big, std::nullopt}; }}}, options);
  RawClient client(server->address());
  client.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  for (int i = 0; i < 100 && server->connections() == 0; ++i) clock.sleep_ms(10);
  // 64 MiB may take a second more than the 300 ms.
  for (int i = 0; i < 400 && server->connections() > 0; ++i) clock.sleep_ms(10);
  EXPECT_EQ(server->connections(), 0u);
}

TEST_F(ServerTest, WaitingHandlersDoNotHoldUpOthers) {
  std::atomic<bool> go = false;
  start({{"/wait", 0,
          [&](Request&) {
            while (!go) clock.sleep_ms(5);
            return Response::text(200, "waited");
          }},
         echo("/quick")});
  std::vector<std::thread> waiting;
  std::atomic<int> waited = 0;
  for (size_t i = 0; i + 1 < limits::kHttpThreads; ++i)
    waiting.emplace_back([&] { waited += ask({"GET", "/wait", {}, ""})->body == "waited\n" ? 1 : 0; });
  for (int i = 0; i < 20; ++i) EXPECT_EQ(ask({"GET", "/quick", {}, ""})->status, 200);
  go = true;
  for (std::thread& thread : waiting) thread.join();
  EXPECT_EQ(waited, static_cast<int>(limits::kHttpThreads) - 1);
}

TEST_F(ServerTest, MoreConnectionsThanAllowedWait) {
  ServerOptions options;
  options.connections_max = 4 * limits::kHttpEventThreads;
  options.idle_ms = 700;
  start({echo("/")}, options);
  std::vector<std::unique_ptr<RawClient>> idle;
  for (size_t i = 0; i < options.connections_max * 2; ++i)
    idle.push_back(std::make_unique<RawClient>(server->address()));
  clock.sleep_ms(100);
  EXPECT_LE(server->connections(), options.connections_max);
  // The idle ones go, and who waited is served.
  EXPECT_EQ(ask({"GET", "/", {}, ""})->status, 200);
}

TEST_F(ServerTest, EndsWhileClientsAreConnectedAndHandlersRun) {
  std::atomic<bool> running = false;
  std::atomic<bool> ended = false;
  start({{"/", 0, [&](Request&) {
            running = true;
            clock.sleep_ms(200);
            ended = true;
            return Response{};
          }}});
  RawClient idle(server->address());
  RawClient asking(server->address());
  asking.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  while (!running) clock.sleep_ms(5);
  const Address address = server->address();
  server.reset();
  EXPECT_TRUE(ended);
  EXPECT_EQ(idle.receive(2000), "");
  EXPECT_FALSE(ClientConnection::open(address, patience(2000)));
}

}  // namespace
}  // namespace weir::http
