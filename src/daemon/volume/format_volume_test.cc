#include "daemon/volume/format_volume.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "base/clock.h"
#include "daemon/volume/open_volume.h"
#include "object/open_store.h"
#include "testing/temporary_directory.h"

namespace weir {
namespace {

namespace fs = std::filesystem;

class Format : public ::testing::Test {
 protected:
  FormatRequest request() {
    return {parse_metadata_url(directory_.file("meta")).value(), directory_.file("store"), "data", false};
  }
  static void write(const std::string& path) { std::ofstream(path) << "mine"; }

  testing::TemporaryDirectory directory_;
};

TEST_F(Format, ANewVolumeCanBeOpenedAndOnlyOnceAtATime) {
  auto settings = format_volume(request());
  ASSERT_TRUE(settings) << settings.error().what;
  auto opened = open_volume(
      {.metadata = request().metadata, .mount_point = "/data", .cache_directory = directory_.file("cache")});
  ASSERT_TRUE(opened) << opened.error().what;
  EXPECT_EQ((*opened)->volume->settings().volume_id, settings->volume_id);
  EXPECT_EQ((*opened)->volume->settings().store_url, "file://" + directory_.file("store"));
  EXPECT_EQ(open_volume({.metadata = request().metadata, .mount_point = "/data2"}).error().code, Code::kBusy);
}

TEST_F(Format, AnExistingVolumeIsLeftAlone) {
  auto first = format_volume(request());
  ASSERT_TRUE(first);
  auto second = request();
  second.store_url = directory_.file("store2");
  EXPECT_EQ(format_volume(second).error().code, Code::kExists);
  EXPECT_FALSE(fs::exists(directory_.file("store2")));
  EXPECT_EQ(open_volume({.metadata = request().metadata, .mount_point = "/data"}).value()->volume->settings().volume_id,
            first->volume_id);
}

TEST_F(Format, ForeignFilesAreNotMixedWithAVolume) {
  fs::create_directory(directory_.file("meta"));
  write(directory_.file("meta/notes.txt"));
  EXPECT_EQ(format_volume(request()).error().code, Code::kNotEmpty);
  fs::remove(directory_.file("meta/notes.txt"));
  fs::create_directory(directory_.file("store"));
  write(directory_.file("store/notes.txt"));
  EXPECT_EQ(format_volume(request()).error().code, Code::kNotEmpty);
  fs::remove(directory_.file("store/notes.txt"));
  EXPECT_TRUE(format_volume(request())) << "an attempt that failed must not be in the way of the next";
}

TEST_F(Format, AMissingParentIsNamed) {
  auto wanted = request();
  wanted.metadata = parse_metadata_url(directory_.file("no/meta")).value();
  auto refused = format_volume(wanted);
  EXPECT_EQ(refused.error().code, Code::kNotFound);
  EXPECT_NE(refused.error().what.find(directory_.file("no")), std::string::npos);
  wanted = request();
  wanted.store_url = directory_.file("no/store");
  EXPECT_EQ(format_volume(wanted).error().code, Code::kNotFound);
  EXPECT_FALSE(fs::exists(directory_.file("meta"))) << "nothing is made before all was checked";
}

TEST_F(Format, AnotherVolumesStoreIsRefused) {
  ASSERT_TRUE(format_volume(request()));
  auto second = request();
  second.metadata = parse_metadata_url(directory_.file("meta2")).value();
  EXPECT_EQ(format_volume(second).error().code, Code::kExists);
}

TEST_F(Format, MetadataAndStoreInOneAnotherAreRefused) {
  auto wanted = request();
  wanted.store_url = directory_.file("meta");
  EXPECT_EQ(format_volume(wanted).error().code, Code::kInvalid);
  fs::create_directory(directory_.file("meta"));
  wanted.store_url = directory_.file("meta/store");
  EXPECT_EQ(format_volume(wanted).error().code, Code::kInvalid);
}

TEST_F(Format, AnAttemptThatBrokeOffBehindTheStoreIsCompletedOnlyWhereTheStoreIsOurs) {
  SystemClock clock;
  std::string marker = "weir volume " + std::string(32, 'a') + " incarnation " + std::string(32, 'b') + "\n";
  ASSERT_TRUE(object::create_store(directory_.file("store"), marker, clock));
  EXPECT_EQ(format_volume(request()).error().code, Code::kExists);
  auto own = request();
  own.own_store = true;
  auto settings = format_volume(own);
  ASSERT_TRUE(settings) << settings.error().what;
  EXPECT_EQ(settings->volume_id, std::string(32, 'a'));
  EXPECT_TRUE(open_volume({.metadata = own.metadata, .mount_point = "/data"}));
}

TEST_F(Format, AStoreThatIsGoneOrReplacedStopsTheOpening) {
  ASSERT_TRUE(format_volume(request()));
  fs::rename(directory_.file("store"), directory_.file("away"));
  EXPECT_EQ(open_volume({.metadata = request().metadata, .mount_point = "/data"}).error().code, Code::kUnavailable);
  fs::create_directory(directory_.file("store"));
  EXPECT_EQ(open_volume({.metadata = request().metadata, .mount_point = "/data"}).error().code, Code::kUnavailable);
  fs::remove(directory_.file("store"));
  auto other = request();
  other.metadata = parse_metadata_url(directory_.file("meta2")).value();
  ASSERT_TRUE(format_volume(other));
  EXPECT_EQ(open_volume({.metadata = request().metadata, .mount_point = "/data"}).error().code, Code::kInvalid);
}

TEST_F(Format, AnUnformattedPlaceSaysHowToFormat) {
  auto missing = open_volume({.metadata = request().metadata, .mount_point = "/data"});
  EXPECT_EQ(missing.error().code, Code::kNotFound);
  EXPECT_NE(missing.error().what.find("weir format"), std::string::npos);
}

TEST_F(Format, ANewerVolumeIsRefusedUntouched) {
  ASSERT_TRUE(format_volume(request()));
  {
    auto engine = kv::open_engine(request().metadata.url, false).value();
    auto settings = read_settings(*engine, request().metadata).value();
    settings.oldest_writer = kVolumeFormat + 1;
    auto transaction = engine->begin();
    transaction->put("F", settings.encode());
    ASSERT_TRUE(transaction->commit());
  }
  auto refused = open_volume({.metadata = request().metadata, .mount_point = "/data"});
  EXPECT_EQ(refused.error().code, Code::kUnsupported);
  auto engine = kv::open_engine(request().metadata.url, false).value();
  EXPECT_FALSE(last_node_info(*engine, kSingleNode).value().has_value());
}

}  // namespace
}  // namespace weir
