// Over the fault server: what the client does when the server, the network or the people who set them up do wrong.
#include "object/s3/s3_store.h"

#include <gtest/gtest.h>

#include <list>
#include <thread>

#include "base/random.h"
#include "object/open_store.h"
#include "testing/environment_variable.h"
#include "testing/s3/fault_server.h"

namespace weir::object {
namespace {

using testing::s3::Fault;
using testing::s3::FaultKind;
using testing::s3::FaultServer;

class S3StoreTest : public ::testing::Test {
 protected:
  void SetUp() override {
    for (const char* name : {"AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_REGION", "AWS_DEFAULT_REGION", "http_proxy",
                             "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CONTAINER_CREDENTIALS_FULL_URI"})
      set(name, "");
    set("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent/credentials");
    set("AWS_CONFIG_FILE", "/nonexistent/config");
    set("AWS_EC2_METADATA_DISABLED", "true");
    set("AWS_ACCESS_KEY_ID", server_->credential().access_key);
    set("AWS_SECRET_ACCESS_KEY", server_->credential().secret_key);
  }

  void TearDown() override {
    // The other way round: some were set twice.
    while (!variables_.empty()) variables_.pop_back();
  }

  void set(const char* name, const std::string& value) { variables_.emplace_back(name, value); }
  std::string url(std::string_view bucket = "bucket", std::string_view more = "") const {
    return fmt::format("s3://{}/p?endpoint={}&region=us-east-1{}", bucket, server_->endpoint(), more);
  }
  std::unique_ptr<ObjectStore> make() {
    auto created = create_store(url(), "marker", clock_);
    EXPECT_TRUE(created) << created.error().what;
    return std::move(created).value();
  }
  void fail_once(FaultKind kind, std::optional<uint64_t> bytes = {}) {
    Fault fault;
    fault.kind = kind;
    fault.key_prefix = "p/objects/";
    fault.count = 1;
    fault.bytes = bytes;
    ASSERT_TRUE(server_->faults().add(fault));
  }

  SystemClock clock_;
  std::unique_ptr<FaultServer> server_ = FaultServer::start().value();
  std::list<testing::EnvironmentVariable> variables_;
};

TEST_F(S3StoreTest, ABodyThatIsNotWhatWasAskedForIsNeverData) {
  auto store = make();
  const std::string bytes = SeededRandom(3).bytes(100'000);
  ASSERT_TRUE(store->put("a", bytes));
  for (FaultKind kind :
       {FaultKind::kResetResponse, FaultKind::kShortBody, FaultKind::kShortLength, FaultKind::kLongBody,
        FaultKind::kWrongRange, FaultKind::kErrorWithData, FaultKind::kOkWithError, FaultKind::kIgnoredRange,
        FaultKind::kBadGateway, FaultKind::kInternalError}) {
    SCOPED_TRACE(name_of(kind));
    fail_once(kind, kind == FaultKind::kLongBody ? std::optional<uint64_t>(1000) : std::nullopt);
    auto got = store->get("a", 10, 50'000);
    ASSERT_FALSE(got);
    EXPECT_EQ(got.error().code, Code::kUnavailable) << got.error().what;
    fail_once(kind, kind == FaultKind::kLongBody ? std::optional<uint64_t>(1000) : std::nullopt);
    // Of the whole object there is no other range to give.
    auto whole = store->get("a", 0, bytes.size());
    EXPECT_TRUE(!whole || (kind == FaultKind::kWrongRange && *whole == bytes));
    EXPECT_EQ(store->get("a", 10, 50'000).value(), bytes.substr(10, 50'000)) << "and the next one is well";
  }
}

TEST_F(S3StoreTest, ThrottlingIsToldApart) {
  auto store = make();
  for (FaultKind kind : {FaultKind::kSlowDown, FaultKind::kTooManyRequests}) {
    fail_once(kind);
    EXPECT_EQ(store->put("a", "x").error().code, Code::kThrottled);
    fail_once(kind);
    EXPECT_EQ(store->remove("a").error().code, Code::kThrottled);
  }
  fail_once(FaultKind::kInternalError);
  EXPECT_EQ(store->put("a", "x").error().code, Code::kUnavailable);
}

TEST_F(S3StoreTest, APutWhoseAnswerWasLostIsNotSentAgainUnasked) {
  auto store = make();
  const std::string bytes = SeededRandom(3).bytes(3'000'000);
  for (FaultKind kind : {FaultKind::kLostResponse, FaultKind::kLostByReset}) {
    SCOPED_TRACE(name_of(kind));
    server_->counters().reset();
    fail_once(kind);
    Status put = store->put("a", bytes);
    ASSERT_FALSE(put);
    EXPECT_EQ(put.error().code, Code::kUnavailable) << put.error().what;
    EXPECT_EQ(server_->counters().object("bucket/p/objects/a").puts_whole, 1u);
  }
}

TEST_F(S3StoreTest, ConnectionsThatBreakLeaveNothingWrongBehind) {
  auto store = make();
  const std::string bytes = SeededRandom(3).bytes(3'000'000);
  for (FaultKind kind : {FaultKind::kResetRequest, FaultKind::kLostResponse, FaultKind::kLostByReset}) {
    SCOPED_TRACE(name_of(kind));
    fail_once(kind, 100'000);
    Status put = store->put("a", bytes);
    EXPECT_TRUE(put || put.error().code == Code::kUnavailable) << put.error().what;
    ASSERT_TRUE(store->put("a", bytes));
    fail_once(kind, 0);
    auto got = store->get("a", 0, bytes.size());
    EXPECT_TRUE(got ? *got == bytes : got.error().code == Code::kUnavailable);
    EXPECT_TRUE(store->get("a", 0, bytes.size()).value() == bytes);
  }
}

TEST_F(S3StoreTest, SaysWhatTheServerCheckedOfTheBytes) {
  auto store = make();
  ASSERT_TRUE(store->put("a", "bytes"));
  auto info = store->head("a").value();
  ASSERT_TRUE(info && info->sha256);
  EXPECT_EQ(*info->sha256, sha256("bytes"));
  EXPECT_EQ(store->put("b", {"bytes", sha256("other")}).error().code, Code::kCorrupt) << "it is checked";
}

TEST_F(S3StoreTest, ExpiredCredentialsAreRenewedOnceByTheWay) {
  set("AWS_ACCESS_KEY_ID", "");
  set("AWS_SECRET_ACCESS_KEY", "");
  set("AWS_EC2_METADATA_DISABLED", "");
  set("AWS_EC2_METADATA_SERVICE_ENDPOINT", server_->control_endpoint());
  auto store = make();
  EXPECT_EQ(server_->metadata().requests().tokens, 1u);
  server_->metadata().rotate();
  fail_once(FaultKind::kExpiredToken);
  EXPECT_TRUE(store->put("a", "x"));
  EXPECT_EQ(server_->metadata().requests().issued, 2u);
  EXPECT_TRUE(store->put("b", "x"));
  EXPECT_EQ(server_->metadata().requests().tokens, 2u) << "the new ones are kept";
}

TEST_F(S3StoreTest, CredentialsAreRenewedBeforeTheyExpire) {
  set("AWS_ACCESS_KEY_ID", "");
  set("AWS_SECRET_ACCESS_KEY", "");
  set("AWS_CONTAINER_CREDENTIALS_FULL_URI", server_->control_endpoint() + "/ecs/credentials");
  set("AWS_CONTAINER_AUTHORIZATION_TOKEN", "let-me-in");
  server_->metadata().set({.lifetime_seconds = 60, .renew_seconds = 300, .container_token = "let-me-in"});
  auto store = make();
  uint64_t before = server_->metadata().requests().credentials;
  EXPECT_TRUE(store->put("a", "x"));
  EXPECT_GT(server_->metadata().requests().credentials, before) << "they end within the margin";
  server_->metadata().set({.container_token = "let-me-in", .status = 500});
  EXPECT_TRUE(store->put("b", "x")) << "those that are there go on as long as they are valid";
}

TEST_F(S3StoreTest, WrongSettingsGiveOneSentenceThatNamesWhich) {
  make();
  auto what = [&](const std::string& where) {
    auto opened = open_store(where, "marker", clock_);
    return opened ? std::string("opened") : opened.error().what;
  };
  EXPECT_NE(what(url("absent-bucket")).find("the bucket does not exist"), std::string::npos)
      << what(url("absent-bucket"));
  {
    testing::EnvironmentVariable wrong("AWS_SECRET_ACCESS_KEY", "wrong");
    EXPECT_NE(what(url()).find("the secret key is not that of this access key"), std::string::npos) << what(url());
  }
  {
    testing::EnvironmentVariable wrong("AWS_ACCESS_KEY_ID", "wrong");
    EXPECT_NE(what(url()).find("does not know this access key"), std::string::npos) << what(url());
  }
  {
    testing::EnvironmentVariable key("AWS_ACCESS_KEY_ID", "");
    testing::EnvironmentVariable secret("AWS_SECRET_ACCESS_KEY", "");
    EXPECT_NE(what(url()).find("there are no credentials for S3"), std::string::npos) << what(url());
  }
  {
    testing::EnvironmentVariable profile("AWS_ACCESS_KEY_ID", "");
    EXPECT_NE(what(url()).find("only one of"), std::string::npos) << what(url());
  }
  server_->credentials().set({.access_key = "guest", .secret_key = "guest", .may_read = false, .may_write = false});
  {
    testing::EnvironmentVariable key("AWS_ACCESS_KEY_ID", "guest");
    testing::EnvironmentVariable secret("AWS_SECRET_ACCESS_KEY", "guest");
    EXPECT_NE(what(url()).find("lack the permission"), std::string::npos) << what(url());
  }
  server_->set_clock_skew_ms(3600'000);
  EXPECT_NE(what(url()).find("the clock of this machine is wrong"), std::string::npos) << what(url());
  server_->set_clock_skew_ms(0);
  EXPECT_EQ(what(url()), "opened");
}

TEST_F(S3StoreTest, AnotherVolumesStoreIsLeftAlone) {
  auto store = make();
  ASSERT_TRUE(store->put("a", "x"));
  EXPECT_TRUE(create_store(url(), "marker", clock_)) << "the same once more is fine";
  EXPECT_EQ(create_store(url(), "other", clock_).error().code, Code::kExists);
  EXPECT_EQ(open_store(url(), "other", clock_).error().code, Code::kInvalid);
  EXPECT_EQ(read_store_marker(url()).value(), "marker");
  std::string above = fmt::format("s3://bucket?endpoint={}&region=us-east-1", server_->endpoint());
  EXPECT_EQ(create_store(above, "marker", clock_).error().code, Code::kNotEmpty);
  EXPECT_EQ(read_store_marker(above).value(), std::nullopt);
}

TEST_F(S3StoreTest, AMissingObjectOfAMissingStoreIsNoAbsence) {
  auto store = make();
  EXPECT_EQ(store->get("a", 0, 1).error().code, Code::kNotFound);
  server_->objects().remove("bucket", "p/weir-store");
  EXPECT_EQ(store->get("a", 0, 1).error().code, Code::kUnavailable);
  EXPECT_EQ(store->head("a").error().code, Code::kUnavailable);
  EXPECT_EQ(store->list("", "", 10).error().code, Code::kUnavailable);
}

TEST_F(S3StoreTest, VirtualHostStyleReachesTheBucketByItsName) {
  make();
  std::string host = server_->endpoint();
  host.replace(host.find("127.0.0.1"), 9, "localhost");
  auto opened =
      open_store(fmt::format("s3://bucket/p?endpoint={}&region=us-east-1&style=virtual", host), "marker", clock_);
  ASSERT_TRUE(opened) << opened.error().what;
  EXPECT_TRUE((*opened)->put("a", "x"));
  EXPECT_EQ((*opened)->get("a", 0, 9).value(), "x");
}

TEST_F(S3StoreTest, AProxyOfTheEnvironmentIsUsed) {
  make();
  set("http_proxy", server_->endpoint());
  auto opened = open_store("s3://bucket/p?endpoint=http://s3.nowhere.invalid&region=us-east-1", "marker", clock_);
  EXPECT_TRUE(opened) << opened.error().what;
  EXPECT_GT(server_->counters().values().proxied, 0u);
}

TEST_F(S3StoreTest, ConnectionsAreKeptAndTheirNumberIsBounded) {
  auto store = make();
  auto few = open_store(url("bucket", "&connections=3"), "marker", clock_).value();
  uint64_t before = server_->connections_accepted();
  std::vector<std::thread> threads;
  for (int thread = 0; thread < 8; ++thread) {
    threads.emplace_back([&, thread] {
      for (int i = 0; i < 20; ++i) EXPECT_TRUE(few->put(fmt::format("{}-{}", thread, i), "x"));
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_LE(server_->connections_accepted() - before, 3u);
  EXPECT_LE(server_->counters().values().at_once_max, 3u);
}

TEST_F(S3StoreTest, AServerThatRestartsIsReachedAgain) {
  auto store = make();
  ASSERT_TRUE(store->put("a", "x"));
  server_->refuse_connections();
  EXPECT_EQ(store->get("a", 0, 1).error().code, Code::kUnavailable);
  ASSERT_TRUE(server_->accept_connections());
  EXPECT_EQ(store->get("a", 0, 1).value(), "x");
}

TEST_F(S3StoreTest, AKeptConnectionThatTheServerClosedCostsNoPut) {
  auto store = make();
  const std::string bytes = SeededRandom(3).bytes(1'000'000);
  ASSERT_TRUE(store->put("a", bytes));
  server_->refuse_connections();
  ASSERT_TRUE(server_->accept_connections());
  EXPECT_TRUE(store->put("b", bytes));
  EXPECT_EQ(store->get("b", 0, bytes.size()).value(), bytes);
}

TEST_F(S3StoreTest, DescribesItselfWithoutSecrets) {
  auto store = make();
  EXPECT_EQ(store->describe(), fmt::format("bucket bucket below p at {}", server_->endpoint()));
}

}  // namespace
}  // namespace weir::object
