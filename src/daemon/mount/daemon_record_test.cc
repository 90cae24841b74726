#include "daemon/mount/daemon_record.h"

#include <gtest/gtest.h>

#include <thread>

#include "base/clock.h"
#include "daemon/volume/process_identity.h"

#include <filesystem>
#include <nlohmann/json.hpp>

#include "base/io.h"
#include "daemon/control/server.h"
#include "testing/temporary_directory.h"

namespace weir {
namespace {

std::unique_ptr<ControlServer> listen(const std::string& path) {
  auto server =
      ControlServer::start(path, [](const Json&, const ReportProgress&) -> Result<Json> { return Json::object(); });
  EXPECT_TRUE(server);
  return std::move(*server);
}

TEST(DaemonRecord, ALivingDaemonIsFound) {
  testing::TemporaryDirectory directory;
  auto server = listen(directory.file("c.sock"));
  ASSERT_TRUE(write_daemon_record(directory.path(), {4711, directory.file("c.sock"), "/data", {}}));
  auto record = read_live_daemon(directory.path());
  ASSERT_TRUE(record && record->has_value());
  EXPECT_EQ((*record)->pid, 4711);
  EXPECT_EQ((*record)->mount_point, "/data");
  remove_daemon_record(directory.path());
  EXPECT_FALSE(read_live_daemon(directory.path()).value().has_value());
}

TEST(DaemonRecord, TheRecordOfADeadDaemonIsIgnored) {
  testing::TemporaryDirectory directory;
  auto server = listen(directory.file("c.sock"));
  ASSERT_TRUE(write_daemon_record(directory.path(), {4711, directory.file("c.sock"), "/data", {}}));
  server.reset();
  EXPECT_FALSE(read_live_daemon(directory.path()).value().has_value());
}

TEST(DaemonRecord, WhileTheSupervisorLivesTheNextDaemonIsWaitedFor) {
  testing::TemporaryDirectory directory;
  DaemonRecord record{4711, directory.file("c.sock"), "/data", this_process()};
  ASSERT_TRUE(write_daemon_record(directory.path(), record));
  std::unique_ptr<ControlServer> server;
  std::thread late([&] {
    SystemClock().sleep_ms(200);
    server = listen(directory.file("c.sock"));
  });
  auto found = read_live_daemon(directory.path());
  late.join();
  ASSERT_TRUE(found && found->has_value());
  EXPECT_EQ((*found)->supervisor, this_process());
}

TEST(DaemonRecord, ASupervisorOfAnEarlierRunOfTheMachineIsNotWaitedFor) {
  testing::TemporaryDirectory directory;
  DaemonRecord record{4711, directory.file("c.sock"), "/data", this_process()};
  record.supervisor.boot_id = "another";
  ASSERT_TRUE(write_daemon_record(directory.path(), record));
  EXPECT_FALSE(read_live_daemon(directory.path()).value().has_value());
}

TEST(DaemonRecord, ADamagedRecordIsIgnored) {
  testing::TemporaryDirectory directory;
  for (const char* text : {"", "{", "{\"pid\":-1,\"control\":\"/x\",\"mount_point\":\"/y\"}", "{\"pid\":1}"}) {
    ASSERT_TRUE(io::write_file_durably(directory.file("daemon.json"), text));
    EXPECT_FALSE(read_live_daemon(directory.path()).value().has_value()) << text;
  }
}

}  // namespace
}  // namespace weir
