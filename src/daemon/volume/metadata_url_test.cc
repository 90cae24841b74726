#include "daemon/volume/metadata_url.h"

#include <gtest/gtest.h>
#include <unistd.h>

namespace weir {
namespace {

TEST(MetadataUrl, PathsAndRocksdbUrlsMeanTheSameDirectory) {
  for (std::string_view text :
       {"/srv/meta", "/srv//meta/", "rocksdb:///srv/meta", "rocksdb:///srv/x/../meta", "/srv/./meta"}) {
    auto url = parse_metadata_url(text);
    ASSERT_TRUE(url) << text;
    EXPECT_EQ(url->url, "rocksdb:///srv/meta") << text;
    EXPECT_EQ(url->directory, "/srv/meta") << text;
  }
}

TEST(MetadataUrl, ARelativePathIsBelowTheWorkingDirectory) {
  ASSERT_EQ(::chdir("/tmp"), 0);
  EXPECT_EQ(parse_metadata_url("a/meta")->directory, "/tmp/a/meta");
}

TEST(MetadataUrl, CredentialsAreNotShownAndNotLost) {
  auto url = parse_metadata_url("postgres://weir:s3cret@db:5432/weir?schema=prod");
  ASSERT_TRUE(url);
  EXPECT_EQ(url->display.find("s3cret"), std::string::npos);
  EXPECT_NE(url->display.find("schema=prod"), std::string::npos);
  EXPECT_EQ(url->url, "postgres://weir:s3cret@db:5432/weir?schema=prod");
  EXPECT_FALSE(url->embedded());
  EXPECT_EQ(parse_metadata_url("postgres://weir:s3cret@db/weir?schema=Bad!").error().what.find("s3cret"),
            std::string::npos);
}

TEST(MetadataUrl, OtherTextIsRefusedWithWhatWouldDo) {
  for (std::string_view text : {"", "/", "rocksdb://meta", "rocksdb:///", "mysql://db/weir", "s3://bucket"}) {
    auto url = parse_metadata_url(text);
    ASSERT_FALSE(url) << text;
    EXPECT_EQ(url.error().code, Code::kInvalid) << text;
    EXPECT_EQ(url.error().what.find('\n'), std::string::npos);
  }
}

}  // namespace
}  // namespace weir
