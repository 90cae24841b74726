#include "daemon/network/listen_address.h"

#include <gtest/gtest.h>

namespace weir {
namespace {

using Hosts = std::vector<std::string>;

TEST(DatabaseHosts, AreThoseOfTheUrl) {
  EXPECT_EQ(database_hosts("postgres://db/weir"), Hosts{"db"});
  EXPECT_EQ(database_hosts("postgresql://user:p%40ss@db.example:6432/weir?sslmode=require"), Hosts{"db.example"});
  EXPECT_EQ(database_hosts("postgres://user@one:1,two,[fd00::7]:3/weir"), (Hosts{"one", "two", "fd00::7"}));
  EXPECT_EQ(database_hosts("postgres://%2Fvar%2Frun%2Fpostgresql/weir"), Hosts{});
  EXPECT_EQ(database_hosts("postgres:///weir?host=/tmp"), Hosts{});
  EXPECT_EQ(database_hosts("/srv/weir/meta"), Hosts{});
  EXPECT_EQ(database_hosts("postgres://[broken"), Hosts{"broken"});
}

TEST(ListenAddress, EmbeddedMetadataHaveNoServerUnlessAsked) {
  EXPECT_FALSE(listen_address("", "", "/srv/weir/meta", false, "").value());
  EXPECT_FALSE(listen_address("none", "", "postgres://db/weir", true, "").value());
  EXPECT_EQ(listen_address("127.0.0.1:7480", "", "/srv/weir/meta", false, "").value()->listen.text(), "127.0.0.1:7480");
}

TEST(ListenAddress, SharedMetadataHaveOneAtAnAddressThatOthersMayReach) {
  auto chosen = listen_address("", "", "postgres://127.0.0.1:5432/weir", true, "").value();
  ASSERT_TRUE(chosen);
  EXPECT_EQ(chosen->listen.port, 0);
  EXPECT_EQ(chosen->listen.host, host_for_others("postgres://127.0.0.1:5432/weir").value());
  EXPECT_EQ(chosen->advertise, chosen->listen);
}

TEST(ListenAddress, AnAddressOfAllIsNotWhatOthersAreTold) {
  auto chosen = listen_address("0.0.0.0:7480", "", "postgres://127.0.0.1/weir", true, "").value();
  EXPECT_EQ(chosen->listen.host, "0.0.0.0");
  EXPECT_NE(chosen->advertise.host, "0.0.0.0");
  EXPECT_EQ(chosen->advertise.port, 7480);
  chosen = listen_address("0.0.0.0:7480", "192.0.2.7:80", "postgres://127.0.0.1/weir", true, "").value();
  EXPECT_EQ(chosen->advertise.text(), "192.0.2.7:80");
}

TEST(ListenAddress, AFreePortIsTheOneOfBeforeIfItCanBe) {
  const std::string host = host_for_others("postgres://127.0.0.1/weir").value();
  auto again = listen_address("", "", "postgres://127.0.0.1/weir", true, http::Address{host, 4711}.text()).value();
  EXPECT_EQ(again->preferred_port, 4711);
  auto moved = listen_address("", "", "postgres://127.0.0.1/weir", true, "192.0.2.1:4711").value();
  EXPECT_EQ(moved->preferred_port, 0);
  auto fixed = listen_address("127.0.0.1:7480", "", "postgres://127.0.0.1/weir", true, "127.0.0.1:4711").value();
  EXPECT_EQ(fixed->preferred_port, 0);
}

TEST(ListenAddress, ContradictionsAndNamesAreRefused) {
  EXPECT_EQ(listen_address("none", "192.0.2.7:80", "postgres://db/weir", true, "").error().code, Code::kInvalid);
  EXPECT_EQ(listen_address("gpu-7:80", "", "postgres://db/weir", true, "").error().code, Code::kInvalid);
}

}  // namespace
}  // namespace weir
