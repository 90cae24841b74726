#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <latch>
#include <nlohmann/json.hpp>
#include <thread>

#include "base/file_descriptor.h"
#include "base/limits.h"
#include "daemon/control/client.h"
#include "daemon/control/line_socket.h"
#include "daemon/control/server.h"

namespace weir {
namespace {

struct Pair {
  Pair() {
    int fds[2];
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
    ours = std::make_unique<LineSocket>(FileDescriptor(fds[0]), 100);
    theirs.reset(fds[1]);
  }
  void send(std::string_view bytes) {
    ASSERT_EQ(::send(theirs.get(), bytes.data(), bytes.size(), 0), ssize_t(bytes.size()));
  }
  std::unique_ptr<LineSocket> ours;
  FileDescriptor theirs;
};

TEST(LineSocket, LinesAreCutWhereverTheirBytesArrive) {
  Pair pair;
  pair.send("one\ntw");
  EXPECT_EQ(pair.ours->read_line(1000).value(), "one");
  pair.send("o\n\n");
  EXPECT_EQ(pair.ours->read_line(1000).value(), "two");
  EXPECT_EQ(pair.ours->read_line(1000).value(), "");
  pair.theirs.reset();
  EXPECT_EQ(pair.ours->read_line(1000).value(), std::nullopt);
}

TEST(LineSocket, ALineOfTheLongestLengthPassesAndOneByteMoreDoesNot) {
  Pair pair;
  pair.send(std::string(100, 'x') + "\n" + std::string(101, 'y') + "\n");
  EXPECT_EQ(pair.ours->read_line(1000).value(), std::string(100, 'x'));
  EXPECT_EQ(pair.ours->read_line(1000).error().code, Code::kTooLarge);
}

TEST(LineSocket, ABrokenOffLineIsNotTakenForAWholeOne) {
  Pair pair;
  pair.send("{\"command\":\"umount\"}");
  pair.theirs.reset();
  EXPECT_EQ(pair.ours->read_line(1000).error().code, Code::kInvalid);
}

TEST(LineSocket, DripFeedDoesNotExtendTheTime) {
  Pair pair;
  std::atomic<bool> stop = false;
  std::thread slow([&] {
    while (!stop) {
      (void)::send(pair.theirs.get(), "x", 1, MSG_NOSIGNAL);
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
  });
  EXPECT_EQ(pair.ours->read_line(200).error().code, Code::kTimeout);
  stop = true;
  slow.join();
}

TEST(LineSocket, WritingToWhoReadsNothingEnds) {
  Pair pair;
  Status written;
  for (int i = 0; i < 100 && written; ++i) written = pair.ours->write_line(std::string(100'000, 'z'), 50);
  EXPECT_EQ(written.error().code, Code::kTimeout);
  EXPECT_FALSE(pair.ours->peer_gone());
  pair.theirs.reset();
  EXPECT_TRUE(pair.ours->peer_gone());
}

class Control : public ::testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/weir-control-XXXXXX";
    ASSERT_NE(::mkdtemp(name), nullptr);
    directory_ = name;
    path_ = directory_ + "/c.sock";
  }
  void TearDown() override {
    server_.reset();
    std::filesystem::remove_all(directory_);
  }
  void start(ControlServer::Handler handler) {
    auto server = ControlServer::start(path_, std::move(handler));
    ASSERT_TRUE(server) << server.error().what;
    server_ = std::move(*server);
  }
  void start_echo() {
    start([](const Json& request, const ReportProgress&) -> Result<Json> { return Json{{"echo", request}}; });
  }
  std::optional<std::string> raw_exchange(std::string_view bytes) {
    auto socket = LineSocket::connect(path_, limits::kControlReplyBytes, 5000);
    EXPECT_TRUE(socket);
    EXPECT_TRUE(socket->write_line(bytes, 1000));
    return socket->read_line(5000).value_or(std::nullopt);
  }

  std::string directory_;
  std::string path_;
  std::unique_ptr<ControlServer> server_;
};

TEST_F(Control, ARequestGetsItsProgressThenItsResult) {
  start([](const Json& request, const ReportProgress& progress) -> Result<Json> {
    for (int i = 0; i < 3; ++i) EXPECT_TRUE(progress(Json{{"done", i}}));
    return Json{{"command", request["command"]}};
  });
  int seen = 0;
  auto result = ask_daemon(path_, Json{{"command", "count"}}, [&](const Json& progress) {
    EXPECT_EQ(json_number(progress, "done"), uint64_t(seen++));
    return true;
  });
  ASSERT_TRUE(result) << result.error().what;
  EXPECT_EQ(json_text(*result, "command"), "count");
  EXPECT_EQ(seen, 3);
}

TEST_F(Control, AnErrorKeepsItsCodeAndSentence) {
  start(
      [](const Json&, const ReportProgress&) -> Result<Json> { return error(Code::kNotEmpty, "it is full of eels"); });
  auto result = ask_daemon(path_, Json{{"command", "x"}}, {});
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, Code::kNotEmpty);
  EXPECT_EQ(result.error().what, "it is full of eels");
}

TEST_F(Control, GarbageIsAnsweredWithAnError) {
  start_echo();
  for (std::string_view line : {"", "hello", "[1,2]", "{\"command\":7}", "{}", "{\"command\":\"a\"", "\xff\xfe\x00"}) {
    auto answer = raw_exchange(line);
    ASSERT_TRUE(answer) << line;
    auto reply = parse_reply(*answer);
    ASSERT_TRUE(reply) << *answer;
    EXPECT_EQ(reply->kind, Reply::Kind::kError) << line;
    EXPECT_EQ(reply->error.code, Code::kInvalid) << line;
  }
}

TEST_F(Control, ATooLongRequestIsRefusedWithoutBeingKept) {
  start_echo();
  auto answer = raw_exchange("{\"command\":\"" + std::string(limits::kControlRequestBytes, 'a') + "\"}");
  ASSERT_TRUE(answer);
  EXPECT_EQ(parse_reply(*answer)->error.code, Code::kTooLarge);
}

TEST_F(Control, SilentClientsDoNotHinderOthers) {
  start_echo();
  std::vector<LineSocket> silent;
  for (int i = 0; i < 10; ++i) silent.push_back(LineSocket::connect(path_, 100, 5000).value());
  EXPECT_TRUE(ask_daemon(path_, Json{{"command", "x"}}, {}));
}

/// A mount waited for ever, because it looks whether the daemons of others live and one of these was stopped.
TEST_F(Control, a_process_that_listens_and_takes_no_connections_is_not_waited_for_for_ever) {
  FileDescriptor stopped(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path_.copy(address.sun_path, sizeof address.sun_path - 1);
  ASSERT_EQ(::bind(stopped.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  ASSERT_EQ(::listen(stopped.get(), 0), 0);
  std::vector<LineSocket> waiting;
  for (;;) {
    auto socket = LineSocket::connect(path_, 100, 50);
    if (!socket) {
      EXPECT_EQ(socket.error().code, Code::kTimeout);
      break;
    }
    ASSERT_LT(waiting.size(), 100u);
    waiting.push_back(std::move(*socket));
  }
  // Where there is room within the time, it is connected.
  std::thread taker([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    FileDescriptor taken(::accept(stopped.get(), nullptr, nullptr));
    EXPECT_TRUE(taken.valid());
  });
  EXPECT_TRUE(LineSocket::connect(path_, 100, 5000));
  taker.join();
  ::unlink(path_.c_str());
}

TEST_F(Control, OneMoreThanTheLimitIsToldSo) {
  std::latch all_in(limits::kControlConnections);
  std::latch go(1);
  start([&](const Json&, const ReportProgress&) -> Result<Json> {
    all_in.count_down();
    go.wait();
    return Json::object();
  });
  std::vector<std::thread> clients;
  for (size_t i = 0; i < limits::kControlConnections; ++i)
    clients.emplace_back([&] { EXPECT_TRUE(ask_daemon(path_, Json{{"command", "x"}}, {})); });
  all_in.wait();
  auto refused = ask_daemon(path_, Json{{"command", "x"}}, {});
  EXPECT_EQ(refused.error().code, Code::kBusy);
  go.count_down();
  for (std::thread& client : clients) client.join();
}

TEST_F(Control, ACommandWhoseClientWentAwayIsToldToStop) {
  std::atomic<bool> stopped = false;
  start([&](const Json&, const ReportProgress& progress) -> Result<Json> {
    while (progress(Json::object())) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    stopped = true;
    return Json::object();
  });
  {
    auto socket = LineSocket::connect(path_, 1000, 5000).value();
    ASSERT_TRUE(socket.write_line("{\"command\":\"x\"}", 1000));
    ASSERT_TRUE(socket.read_line(5000));
  }
  for (int i = 0; i < 500 && !stopped; ++i) std::this_thread::sleep_for(std::chrono::milliseconds(10));
  EXPECT_TRUE(stopped);
}

TEST_F(Control, EndingTheServerEndsRunningCommandsAndTheirClientsGetTheAnswer) {
  std::latch running(1);
  start([&](const Json&, const ReportProgress& progress) -> Result<Json> {
    running.count_down();
    while (progress(Json::object())) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    return Json{{"early", true}};
  });
  std::thread client([&] {
    auto result = ask_daemon(path_, Json{{"command", "x"}}, {});
    EXPECT_TRUE(result && json_flag(*result, "early"));
  });
  running.wait();
  server_.reset();
  client.join();
  EXPECT_FALSE(std::filesystem::exists(path_));
  EXPECT_EQ(ask_daemon(path_, Json{{"command", "x"}}, {}).error().code, Code::kNotFound);
}

TEST_F(Control, OnlyTheOwnerMayOpenTheSocket) {
  start_echo();
  struct stat attributes {};
  ASSERT_EQ(::stat(path_.c_str(), &attributes), 0);
  EXPECT_EQ(attributes.st_mode & 0777, 0600u);
}

TEST_F(Control, TheSocketOfADeadDaemonIsReplaced) {
  FileDescriptor dead(::socket(AF_UNIX, SOCK_STREAM, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path_.copy(address.sun_path, sizeof address.sun_path - 1);
  ASSERT_EQ(::bind(dead.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  dead.reset();
  EXPECT_EQ(ask_daemon(path_, Json{{"command", "x"}}, {}).error().code, Code::kUnavailable);
  start_echo();
  EXPECT_TRUE(ask_daemon(path_, Json{{"command", "x"}}, {}));
}

}  // namespace
}  // namespace weir
