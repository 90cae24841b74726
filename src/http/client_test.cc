#include "http/client.h"

#include <fcntl.h>
#include <sys/socket.h>

#include <atomic>
#include <thread>

#include "http/server_fixture.h"

namespace weir::http {
namespace {

/// Answers every connection with the same bytes, whatever is asked, then closes it or keeps silent.
class FixedServer {
 public:
  FixedServer(std::string answer, bool closes) : answer_(std::move(answer)), closes_(closes) {
    listener_ = std::move(Listener::bind({"127.0.0.1", 0}).value());
    ::fcntl(listener_.socket.get(), F_SETFL, 0);
    thread_ = std::thread([this] { run(); });
  }
  ~FixedServer() {
    ::shutdown(listener_.socket.get(), SHUT_RDWR);
    thread_.join();
  }
  const Address& address() const { return listener_.address; }

 private:
  void run() {
    for (;;) {
      FileDescriptor connection(::accept(listener_.socket.get(), nullptr, nullptr));
      if (!connection.valid()) return;
      char asked[4096];
      if (::recv(connection.get(), asked, sizeof asked, 0) <= 0) continue;
      ::send(connection.get(), answer_.data(), answer_.size(), MSG_NOSIGNAL);
      if (!closes_) kept_.push_back(std::move(connection));
    }
  }

  const std::string answer_;
  const bool closes_;
  Listener listener_;
  std::vector<FileDescriptor> kept_;
  std::thread thread_;
};

class ClientTest : public ::testing::Test {
 protected:
  Patience patience(int64_t ms = 5'000) { return {&clock, clock.monotonic_ns() + ms * 1'000'000, 0}; }
  Result<Reply> ask(const FixedServer& server, std::span<char> buffer, const Patience& within) {
    auto connection = ClientConnection::open(server.address(), within);
    if (!connection) return Failure(connection.error());
    return (*connection)->ask({"GET", "/", {}, ""}, buffer, within);
  }
  SystemClock clock;
};

TEST_F(ClientTest, ABodyOfTheRightSizeGoesIntoTheBuffer) {
  FixedServer server("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-Y:  z \r\n\r\nhello", false);
  std::string buffer(5, '\0');
  auto reply = ask(server, std::span<char>(buffer.data(), 5), patience());
  ASSERT_TRUE(reply);
  EXPECT_TRUE(reply->in_buffer);
  EXPECT_EQ(buffer, "hello");
  EXPECT_EQ(reply->headers["x-y"], "z");
}

TEST_F(ClientTest, ABodyOfAnotherSizeOrStatusDoesNot) {
  for (std::string_view line : {"200 OK", "404 Not Found"}) {
    FixedServer server(fmt::format("HTTP/1.1 {}\r\nContent-Length: 4\r\n\r\nhere", line), false);
    std::string buffer(line == "200 OK" ? 5 : 4, '-');
    auto reply = ask(server, std::span<char>(buffer.data(), buffer.size()), patience());
    ASSERT_TRUE(reply);
    EXPECT_FALSE(reply->in_buffer);
    EXPECT_EQ(reply->body, "here");
    EXPECT_EQ(buffer.find_first_not_of('-'), std::string::npos);
  }
}

TEST_F(ClientTest, ATruncatedBodyIsAFailure) {
  FixedServer server("HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhello", true);
  std::string buffer(50, '\0');
  auto reply = ask(server, std::span<char>(buffer.data(), buffer.size()), patience());
  ASSERT_FALSE(reply);
  EXPECT_EQ(reply.error().code, Code::kUnavailable);
}

TEST_F(ClientTest, WhatIsNotHttpIsRefused) {
  for (std::string_view answer :
       {"SSH-2.0-OpenSSH\r\n\r\n", "HTTP/1.1 20\r\n\r\n", "HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
        "HTTP/1.1 200 OK\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n"}) {
    FixedServer server{std::string(answer), true};
    auto reply = ask(server, {}, patience());
    ASSERT_FALSE(reply) << answer;
    EXPECT_EQ(reply.error().code, Code::kInvalid) << answer;
  }
}

TEST_F(ClientTest, ASilentServerIsWaitedForNoLongerThanAllowed) {
  FixedServer server("HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhalf", false);
  Patience within = patience(60'000);
  within.stall_ms = 300;
  const int64_t begun_ns = clock.monotonic_ns();
  auto reply = ask(server, {}, within);
  ASSERT_FALSE(reply);
  EXPECT_EQ(reply.error().code, Code::kTimeout);
  EXPECT_LT(clock.monotonic_ns() - begun_ns, 10'000'000'000);
}

TEST_F(ClientTest, WhoIsInterruptedStopsWaiting) {
  FixedServer server("", false);
  Patience within = patience(60'000);
  std::atomic<int> asked = 0;
  within.keep_going = [&] { return ++asked < 3; };
  auto reply = ask(server, {}, within);
  ASSERT_FALSE(reply);
  EXPECT_EQ(reply.error().code, Code::kInterrupted);
}

TEST_F(ClientTest, NobodyThereIsUnavailable) {
  auto listener = Listener::bind({"127.0.0.1", 0});
  const Address address = listener->address;
  listener->socket.reset();
  auto connection = ClientConnection::open(address, patience());
  ASSERT_FALSE(connection);
  EXPECT_EQ(connection.error().code, Code::kUnavailable);
  EXPECT_NE(connection.error().what.find(address.text()), std::string::npos);
}

}  // namespace
}  // namespace weir::http
