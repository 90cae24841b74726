#include "object/s3/location.h"

#include <gtest/gtest.h>

#include <cstdlib>

namespace weir::object {
namespace {

class S3LocationTest : public ::testing::Test {
 protected:
  void SetUp() override {
    for (const char* name : kVariables) ::unsetenv(name);
    ::setenv("AWS_CONFIG_FILE", "/nonexistent/config", 1);
    ::setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent/credentials", 1);
  }

  static constexpr const char* kVariables[] = {"AWS_REGION", "AWS_DEFAULT_REGION", "AWS_ENDPOINT_URL",
                                               "AWS_ENDPOINT_URL_S3", "AWS_PROFILE"};
};

TEST_F(S3LocationTest, ReadsEveryOption) {
  auto location = S3Location::parse(
      "s3://my-bucket/a/b/?endpoint=https://s3.example.com:8443/&region=eu-west-1&style=virtual&ca=/etc/ca.pem"
      "&profile=team&connections=7");
  ASSERT_TRUE(location) << location.error().what;
  EXPECT_EQ(location->bucket, "my-bucket");
  EXPECT_EQ(location->prefix, "a/b");
  EXPECT_EQ(location->endpoint, "https://s3.example.com:8443");
  EXPECT_EQ(location->region, "eu-west-1");
  EXPECT_EQ(location->style, S3Location::Style::kVirtual);
  EXPECT_EQ(location->ca_file, "/etc/ca.pem");
  EXPECT_EQ(location->profile, "team");
  EXPECT_EQ(location->connections, 7u);
}

TEST_F(S3LocationTest, WritesAUrlThatReadsBackTheSame) {
  std::string url =
      "s3://my-bucket/a?endpoint=http://[::1]:9000&region=r&profile=p&style=path&ca=/a%20b/ca.pem&connections=3";
  // A host of the IPv6 form needs no escape in a query, but gets one.
  std::string written = S3Location::parse(url).value().url();
  EXPECT_EQ(S3Location::parse(written).value().url(), written);
  EXPECT_EQ(S3Location::parse(written).value().endpoint, "http://[::1]:9000");
  EXPECT_EQ(S3Location::parse(written).value().ca_file, "/a b/ca.pem");
  EXPECT_EQ(S3Location::parse("s3://my-bucket").value().url(), "s3://my-bucket");
}

TEST_F(S3LocationTest, TakesWhatIsUnsaidFromTheEnvironment) {
  auto location = S3Location::parse("s3://my-bucket").value();
  ASSERT_TRUE(location.complete());
  EXPECT_EQ(location.region, "us-east-1");
  EXPECT_EQ(location.endpoint, "");
  ::setenv("AWS_DEFAULT_REGION", "eu-north-1", 1);
  ::setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9000", 1);
  location = S3Location::parse("s3://my-bucket").value();
  ASSERT_TRUE(location.complete());
  EXPECT_EQ(location.url(), "s3://my-bucket?endpoint=http://127.0.0.1:9000&region=eu-north-1");
  location = S3Location::parse("s3://my-bucket?region=here&endpoint=https://there").value();
  ASSERT_TRUE(location.complete());
  EXPECT_EQ(location.url(), "s3://my-bucket?endpoint=https://there&region=here");
}

TEST_F(S3LocationTest, RefusesSecretsInTheUrlAndDoesNotRepeatThem) {
  for (const char* url : {"s3://AKIA:hushhush@bucket/p", "s3://bucket?endpoint=http://user:hushhush@host",
                          "s3://bucket?access_key=hushhush", "s3://bucket?hushhush=x", "s3://bucket?hushhush"}) {
    auto refused = S3Location::parse(url);
    ASSERT_FALSE(refused) << url;
    EXPECT_EQ(refused.error().code, Code::kInvalid);
    EXPECT_EQ(refused.error().what.find("hushhush"), std::string::npos) << refused.error().what;
  }
}

TEST_F(S3LocationTest, RefusesWhatNoStoreCanBe) {
  for (const char* url :
       {"s3://", "s3:///prefix", "s3://ab", "s3://bu cket", "s3://bucket/../x", "s3://bucket/a b",
        "s3://bucket?style=other", "s3://bucket?connections=0", "s3://bucket?connections=x",
        "s3://bucket?endpoint=host", "s3://bucket?endpoint=ftp://host", "s3://bucket?endpoint=http://host/path",
        "s3://bucket?region=%0a", "s3://bucket?region=%zz", "s3://bucket?region="}) {
    auto refused = S3Location::parse(url);
    ASSERT_FALSE(refused) << url;
    EXPECT_EQ(refused.error().code, Code::kInvalid) << url;
  }
}

}  // namespace
}  // namespace weir::object
