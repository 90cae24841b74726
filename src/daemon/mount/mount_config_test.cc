#include "daemon/mount/mount_config.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace weir {
namespace {

MountConfig example() {
  MountConfig config;
  config.metadata = parse_metadata_url("/srv/weir/meta").value();
  config.mount_point = "/data";
  config.cache_directory = "/nvme/weir";
  config.listen = "10.0.0.7:7480";
  config.advertise = "192.0.2.7:80";
  config.metrics_token = "/etc/weir/token";
  config.cache_bytes_max = 3u << 30;
  config.reserve_bytes = 5;
  config.read_timeout_ms = 1234;
  config.wait_when_full = true;
  config.allow_other = false;
  config.over_files = true;
  config.passthrough = Passthrough::kOff;
  config.locks = LockReach::kLocal;
  config.workers = 3;
  config.log_file = "/var/log/weir.log";
  config.log_level = log::Level::kDebug;
  config.create = VolumeToCreate{"/srv/weir/store", "data"};
  return config;
}

TEST(MountConfig, AnotherProcessUnderstandsItWhole) {
  Json json = to_json(example());
  MountConfig config = mount_config_of(parse_json_object(json_line(json), "it").value()).value();
  EXPECT_EQ(to_json(config), json);
  EXPECT_EQ(config.metadata.directory, "/srv/weir/meta");
  EXPECT_EQ(config.allow_other, std::optional(false));
  EXPECT_EQ(config.log_level, log::Level::kDebug);
  EXPECT_EQ(config.passthrough, Passthrough::kOff);
  EXPECT_EQ(config.locks, LockReach::kLocal);
  EXPECT_EQ(config.create->name, "data");
}

TEST(MountConfig, LocksReachOtherNodesWhereThereCanBeSome) {
  MountConfig config = example();
  config.locks = LockReach::kAuto;
  EXPECT_TRUE(shares_locks(config, true).value());
  EXPECT_FALSE(shares_locks(config, false).value());
  config.locks = LockReach::kShared;
  EXPECT_TRUE(shares_locks(config, true).value());
  EXPECT_EQ(shares_locks(config, false).error().code, Code::kUnsupported);
  config.locks = LockReach::kLocal;
  EXPECT_FALSE(shares_locks(config, true).value());
}

TEST(MountConfig, WhatWasNotChosenStaysSo) {
  MountConfig config = example();
  config.allow_other.reset();
  config.create.reset();
  config = mount_config_of(to_json(config)).value();
  EXPECT_FALSE(config.allow_other);
  EXPECT_FALSE(config.create);
}

TEST(MountConfig, WithoutPlaceOrMetadataItIsRefused) {
  EXPECT_FALSE(mount_config_of(Json{{"mount_point", "/data"}}));
  EXPECT_FALSE(mount_config_of(Json{{"metadata_url", "/meta"}}));
}

}  // namespace
}  // namespace weir
