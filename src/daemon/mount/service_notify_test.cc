#include "daemon/mount/service_notify.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cstdlib>

#include "base/file_descriptor.h"
#include "testing/temporary_directory.h"

namespace weir {
namespace {

TEST(ServiceNotify, TheServiceManagerGetsTheDatagram) {
  testing::TemporaryDirectory directory;
  std::string path = directory.file("notify");
  FileDescriptor manager(::socket(AF_UNIX, SOCK_DGRAM, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  ASSERT_EQ(::bind(manager.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  ::setenv("NOTIFY_SOCKET", path.c_str(), 1);
  notify_service_manager("READY=1");
  char bytes[64];
  ssize_t got = ::recv(manager.get(), bytes, sizeof bytes, MSG_DONTWAIT);
  ::unsetenv("NOTIFY_SOCKET");
  ASSERT_GT(got, 0);
  EXPECT_EQ(std::string_view(bytes, static_cast<size_t>(got)), "READY=1");
}

}  // namespace
}  // namespace weir
