#include "daemon/supervisor/message_socket.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <nlohmann/json.hpp>

#include "base/limits.h"

namespace weir {
namespace {

TEST(MessageSocket, AMessageArrivesWholeWithItsDescriptors) {
  auto [left, right] = std::move(MessageSocket::pair()).value();
  int pipe_ends[2];
  ASSERT_EQ(::pipe(pipe_ends), 0);
  FileDescriptor read_end(pipe_ends[0]);
  FileDescriptor write_end(pipe_ends[1]);
  ASSERT_TRUE(left.send(Json{{"kind", "first"}}, std::vector<int>{write_end.get(), read_end.get()}));
  ASSERT_TRUE(left.send(Json{{"kind", "second"}, {"text", std::string(5000, 'x')}}));

  auto first = right.receive().value();
  ASSERT_TRUE(first);
  EXPECT_EQ(first->kind(), "first");
  ASSERT_EQ(first->descriptors.size(), 2u);
  ASSERT_EQ(::write(first->descriptors[0].get(), "hi", 2), 2);
  char bytes[2];
  EXPECT_EQ(::read(read_end.get(), bytes, 2), 2);
  auto second = right.receive().value();
  ASSERT_TRUE(second);
  EXPECT_EQ(second->kind(), "second");
  EXPECT_TRUE(second->descriptors.empty());
}

TEST(MessageSocket, AsManyDescriptorsAsAMountCanHave) {
  auto [left, right] = std::move(MessageSocket::pair()).value();
  std::vector<int> many(limits::kSupervisorDescriptors, left.fd());
  ASSERT_TRUE(left.send(Json{{"kind", "keep"}}, many));
  EXPECT_EQ(right.receive().value()->descriptors.size(), many.size());
}

TEST(MessageSocket, WhatWasSaidBeforeTheEndIsHeard) {
  auto [left, right] = std::move(MessageSocket::pair()).value();
  ASSERT_TRUE(left.send(Json{{"kind", "bye"}}));
  left = MessageSocket();
  EXPECT_EQ(right.receive().value()->kind(), "bye");
  EXPECT_FALSE(right.receive().value());
  Status sent = right.send(Json{{"kind", "late"}});
  ASSERT_FALSE(sent);
  EXPECT_EQ(sent.error().code, Code::kUnavailable);
}

TEST(MessageSocket, WhatIsNoMessageIsRefused) {
  auto [left, right] = std::move(MessageSocket::pair()).value();
  ASSERT_EQ(::send(left.fd(), "no", 2, 0), 2);
  EXPECT_FALSE(right.receive());
}

}  // namespace
}  // namespace weir
