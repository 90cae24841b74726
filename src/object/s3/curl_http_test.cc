#include "object/s3/curl_http.h"

#include <gtest/gtest.h>

#include <thread>

#include "base/clock.h"
#include "testing/s3/fault_server.h"

namespace weir::object {
namespace {

using testing::s3::FaultServer;

class CurlHttpTest : public ::testing::Test {
 protected:
  HttpRequest request(int64_t timeout_ms = 10'000) const {
    HttpRequest wanted;
    wanted.url = server_->endpoint() + "/bucket";
    wanted.timeout_ms = timeout_ms;
    return wanted;
  }

  std::unique_ptr<FaultServer> server_ = FaultServer::start().value();
  std::unique_ptr<CurlHttp> http_ = CurlHttp::create({2, "", "test"}).value();
};

TEST_F(CurlHttpTest, GivesTheStatusHeadersAndBodyOfAnyAnswer) {
  auto reply = http_->send(request());
  ASSERT_TRUE(reply) << reply.error().what;
  EXPECT_EQ(reply->status, 403);
  EXPECT_NE(reply->body.find("<Error>"), std::string::npos);
  EXPECT_TRUE(reply->header("CONTENT-LENGTH"));
  EXPECT_FALSE(reply->header("absent"));
}

TEST_F(CurlHttpTest, EndsARequestThatIsOutOfTime) {
  server_->set_unreachable(true);
  SystemClock clock;
  int64_t begin_ns = clock.monotonic_ns();
  auto reply = http_->send(request(300));
  ASSERT_FALSE(reply);
  EXPECT_EQ(reply.error().code, Code::kTimeout) << reply.error().what;
  EXPECT_LT(clock.monotonic_ns() - begin_ns, 5'000'000'000);
}

TEST_F(CurlHttpTest, WaitsForAConnectionNoLongerThanForARequest) {
  server_->set_unreachable(true);
  std::vector<std::thread> threads;
  for (int i = 0; i < 2; ++i)
    threads.emplace_back([&] { EXPECT_EQ(http_->send(request(3000)).error().code, Code::kTimeout); });
  std::this_thread::sleep_for(std::chrono::milliseconds(500));
  auto refused = http_->send(request(200));
  EXPECT_EQ(refused.error().code, Code::kTimeout);
  EXPECT_NE(refused.error().what.find("were busy"), std::string::npos) << refused.error().what;
  for (std::thread& thread : threads) thread.join();
}

TEST_F(CurlHttpTest, TransfersUnderWayEndWhenItIsDestroyed) {
  server_->set_unreachable(true);
  std::thread caller([this, http = http_.get()] {
    auto reply = http->send(request(60'000));
    EXPECT_EQ(reply.error().code, Code::kUnavailable) << reply.error().what;
  });
  std::this_thread::sleep_for(std::chrono::milliseconds(300));
  http_.reset();
  caller.join();
}

TEST_F(CurlHttpTest, RefusesWhatIsNoHttp) {
  HttpRequest wanted = request();
  wanted.url = "file:///etc/hostname";
  EXPECT_EQ(http_->send(wanted).error().code, Code::kInvalid);
}

}  // namespace
}  // namespace weir::object
