#include "object/open_store.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "testing/temporary_directory.h"

namespace weir::object {
namespace {

TEST(OpenStore, TakesPathsAndFileUrlsForTheSame) {
  testing::TemporaryDirectory directory;
  SystemClock clock;
  std::string path = directory.file("store");
  {
    auto created = create_store(path + "//", "marker", clock);
    ASSERT_TRUE(created) << created.error().what;
    ASSERT_TRUE((*created)->put("a", "bytes"));
    EXPECT_EQ((*created)->describe(), "directory " + path);
  }
  auto opened = open_store("file://" + path, "marker", clock);
  ASSERT_TRUE(opened) << opened.error().what;
  EXPECT_EQ((*opened)->get("a", 0, 9).value(), "bytes");
  EXPECT_EQ(read_store_marker(path).value(), "marker");
}

TEST(OpenStore, WhoseMarkerWasChangedIsNoLongerOfWhoOpenedItBefore) {
  testing::TemporaryDirectory directory;
  SystemClock clock;
  const std::string path = directory.file("store");
  auto before = create_store(path, "one", clock).value();
  ASSERT_TRUE(before->put("a", "bytes"));
  EXPECT_EQ(change_store_marker(path, "other", "two", clock).error().code, Code::kInvalid);
  ASSERT_TRUE(change_store_marker(path, "one", "two", clock));
  ASSERT_TRUE(change_store_marker(path, "one", "two", clock)) << "done before";
  EXPECT_EQ(before->remove("a").error().code, Code::kInvalid);
  EXPECT_EQ(before->list("", "", 10).error().code, Code::kInvalid);
  EXPECT_EQ(open_store(path, "one", clock).error().code, Code::kInvalid);
  EXPECT_EQ(open_store(path, "two", clock).value()->get("a", 0, 9).value(), "bytes");
}

TEST(OpenStore, MakesUrlsThatMeanTheSameEverywhere) {
  EXPECT_EQ(canonical_store_url("/srv/./store/").value(), "file:///srv/store");
  EXPECT_EQ(canonical_store_url("file:///srv/x/../store").value(), "file:///srv/store");
  EXPECT_EQ(canonical_store_url("store").value(), "file://" + std::filesystem::current_path().string() + "/store");
}

TEST(OpenStore, RefusesOtherUrlsWithASentence) {
  for (std::string url : {"ftp://host/x", "https://host/x", "", "/", "file://relative/x", "file:///"}) {
    auto refused = canonical_store_url(url);
    ASSERT_FALSE(refused) << url;
    EXPECT_EQ(refused.error().code, Code::kInvalid) << url;
  }
  EXPECT_EQ(canonical_store_url("https://host/x").error().what,
            "unknown store URL 'https://host/x': use a path, file:///path or s3://bucket/prefix");
}

TEST(OpenStore, SaysThatThereIsNoStoreYet) {
  testing::TemporaryDirectory directory;
  SystemClock clock;
  EXPECT_EQ(read_store_marker(directory.file("absent")).value(), std::nullopt);
  EXPECT_EQ(open_store(directory.file("absent"), "marker", clock).error().code, Code::kUnavailable);
}

}  // namespace
}  // namespace weir::object
