#include "http/address.h"

#include <gtest/gtest.h>

#include "http/listener.h"

namespace weir::http {
namespace {

TEST(AddressTest, ReadsWhatItWrites) {
  for (std::string_view text : {"10.0.0.7:7480", "127.0.0.1:0", "[fd00::7]:65535", "[::]:80"}) {
    auto address = Address::parse(text);
    ASSERT_TRUE(address) << text;
    EXPECT_EQ(address->text(), text);
    EXPECT_EQ(SocketAddress::of(*address)->address(), *address);
  }
}

TEST(AddressTest, RefusesNamesAndWhatHasNoPort) {
  for (std::string_view text : {"", ":", "10.0.0.7", "10.0.0.7:", "10.0.0.7:70000", "10.0.0.7:-1", "gpu-7:80", "::1:80",
                                "[10.0.0.7]:80", "[::1]", "[]:80", "10.0.0.7:80x", "10.0.0.7.8:80"})
    EXPECT_FALSE(Address::parse(text)) << text;
}

TEST(AddressTest, KnowsWhatNobodyElseCanReach) {
  EXPECT_TRUE(SocketAddress::of(*Address::parse("127.9.0.1:1"))->is_loopback());
  EXPECT_TRUE(SocketAddress::of(*Address::parse("[::1]:1"))->is_loopback());
  EXPECT_FALSE(SocketAddress::of(*Address::parse("10.127.0.1:1"))->is_loopback());
}

TEST(ListenerTest, SaysWhichPortItGotAndWhenOneIsTaken) {
  auto first = Listener::bind({"127.0.0.1", 0});
  ASSERT_TRUE(first);
  EXPECT_NE(first->address.port, 0);
  auto second = Listener::bind(first->address);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, Code::kBusy);
  EXPECT_NE(second.error().what.find(first->address.text()), std::string::npos);
}

TEST(ListenerTest, RefusesAnAddressOfAnotherMachine) {
  auto listener = Listener::bind({"192.0.2.1", 0});
  ASSERT_FALSE(listener);
  EXPECT_EQ(listener.error().code, Code::kInvalid);
}

TEST(ListenerTest, FindsTheOwnAddressTowardsAnother) {
  EXPECT_EQ(own_host_towards({"127.0.0.1", 5432}).value(), "127.0.0.1");
  EXPECT_TRUE(Address::parse(Address{own_host().value(), 1}.text()));
}

}  // namespace
}  // namespace weir::http
