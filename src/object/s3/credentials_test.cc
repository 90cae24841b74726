#include <gtest/gtest.h>

#include <deque>

#include "base/io.h"
#include "object/s3/credential_cache.h"
#include "object/s3/metadata_services.h"
#include "object/s3/profile_files.h"
#include "testing/environment_variable.h"
#include "testing/fake_clock.h"
#include "testing/temporary_directory.h"

namespace weir::object {
namespace {

/// Gives what it was told to give, then nothing more but an error.
class ScriptedSource : public CredentialSource {
 public:
  explicit ScriptedSource(std::deque<Result<std::optional<Credentials>>>& script) : script_(script) {}
  Result<std::optional<Credentials>> load() override {
    if (script_.empty()) return error(Code::kUnavailable, "nobody answers");
    auto next = script_.front();
    script_.pop_front();
    return next;
  }
  std::string describe() const override { return "a script"; }

 private:
  std::deque<Result<std::optional<Credentials>>>& script_;
};

class CredentialCacheTest : public ::testing::Test {
 protected:
  Credentials until_s(const char* key, int64_t seconds) {
    return {key, "secret", "token", clock_.realtime_ns() + seconds * 1'000'000'000};
  }
  std::string key() {
    auto credentials = cache_.get();
    return credentials ? credentials->access_key : std::string(code_name(credentials.error().code));
  }
  static std::vector<std::unique_ptr<CredentialSource>> sources(
      std::deque<Result<std::optional<Credentials>>>& script) {
    std::vector<std::unique_ptr<CredentialSource>> list;
    list.push_back(std::make_unique<ScriptedSource>(script));
    return list;
  }

  testing::FakeClock clock_;
  std::deque<Result<std::optional<Credentials>>> script_;
  CredentialCache cache_{sources(script_), clock_};
};

TEST_F(CredentialCacheTest, KeepsThemUntilFiveMinutesBeforeTheirEnd) {
  script_ = {until_s("first", 3600), until_s("second", 7200)};
  EXPECT_EQ(key(), "first");
  clock_.sleep_ms(3200'000);
  EXPECT_EQ(key(), "first");
  clock_.sleep_ms(101'000);
  EXPECT_EQ(key(), "second");
}

TEST_F(CredentialCacheTest, OldOnesServeWhileNobodyGivesNewOnesAndNoLonger) {
  script_ = {until_s("first", 400)};
  EXPECT_EQ(key(), "first");
  clock_.sleep_ms(200'000);
  EXPECT_EQ(key(), "first");
  clock_.sleep_ms(200'000);
  EXPECT_EQ(key(), "unavailable");
  script_ = {until_s("second", 3600)};
  EXPECT_EQ(key(), "second");
}

TEST_F(CredentialCacheTest, RefusedOnesAreForgottenOnce) {
  script_ = {until_s("first", 3600), until_s("second", 3600)};
  Credentials first = cache_.get().value();
  cache_.forget(first);
  EXPECT_EQ(key(), "second");
  cache_.forget(first);
  EXPECT_EQ(key(), "second") << "another thread had them renewed already";
}

TEST_F(CredentialCacheTest, SaysThatThereAreNone) {
  script_ = {std::optional<Credentials>()};
  EXPECT_EQ(key(), "access");
}

TEST(ProfileFiles, ReadsSectionsAsAwsToolsDo) {
  ProfileSections sections = parse_profiles(
      "# comment\n[default]\naws_access_key_id = key\r\naws_secret_access_key=sec=ret\n\n[profile team]\nregion = eu\n"
      "s3 =\n  addressing_style = path\nnonsense\n[broken\nregion = x\n");
  EXPECT_EQ(sections["default"]["aws_access_key_id"], "key");
  EXPECT_EQ(sections["default"]["aws_secret_access_key"], "sec=ret");
  EXPECT_EQ(sections["team"]["region"], "eu");
  EXPECT_FALSE(sections["team"].contains("addressing_style"));
  EXPECT_EQ(sections.size(), 2u);
}

class ProfileCredentialsTest : public ::testing::Test {
 protected:
  void write(const std::string& name, std::string_view text) {
    ASSERT_TRUE(io::write_file_durably(directory_.file(name), text));
  }

  testing::TemporaryDirectory directory_;
  testing::EnvironmentVariable profile_{"AWS_PROFILE", ""};
  testing::EnvironmentVariable credentials_{"AWS_SHARED_CREDENTIALS_FILE", directory_.file("credentials")};
  testing::EnvironmentVariable config_{"AWS_CONFIG_FILE", directory_.file("config")};
};

TEST_F(ProfileCredentialsTest, FindsKeysAndRegionOfTheProfile) {
  EXPECT_EQ(ProfileCredentials("").load().value().has_value(), false);
  EXPECT_EQ(ProfileCredentials("team").load().error().code, Code::kAccess) << "it was asked for by name";
  write(
      "credentials",
      "[default]\naws_access_key_id=a\naws_secret_access_key=b\n[team]\naws_access_key_id=c\naws_secret_access_key=d\n"
      "aws_session_token=e\n");
  write("config", "[default]\nregion=r1\n[profile team]\nregion=r2\n");
  EXPECT_EQ(ProfileCredentials("").load().value()->access_key, "a");
  EXPECT_EQ(ProfileCredentials("team").load().value()->session_token, "e");
  EXPECT_EQ(region_of_profile("team").value(), "r2");
  testing::EnvironmentVariable named("AWS_PROFILE", "team");
  EXPECT_EQ(ProfileCredentials("").load().value()->secret_key, "d");
  EXPECT_EQ(region_of_profile("").value(), "r2");
}

TEST(MetadataServices, DecodesCredentialsAndRefusesHalves) {
  auto decoded = decode_service_credentials(
      R"({"AccessKeyId":"a","SecretAccessKey":"b","Token":"c","Expiration":"2013-05-24T00:00:00Z"})");
  ASSERT_TRUE(decoded);
  EXPECT_EQ(decoded->session_token, "c");
  EXPECT_EQ(decoded->expires_ns, 1369353600'000'000'000);
  for (const char* text : {"", "[]", "{", R"({"AccessKeyId":"a"})", R"({"AccessKeyId":1,"SecretAccessKey":"b"})",
                           R"({"AccessKeyId":"a","SecretAccessKey":"b","Expiration":"soon"})"}) {
    auto refused = decode_service_credentials(text);
    ASSERT_FALSE(refused) << text;
    EXPECT_EQ(refused.error().code, Code::kCorrupt);
    EXPECT_EQ(refused.error().what.find('"'), std::string::npos) << "nothing of the answer is repeated";
  }
}

}  // namespace
}  // namespace weir::object
