#include "testing/s3/fault_server.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "base/hex.h"
#include "testing/s3/digests.h"
#include "testing/s3/fault_server_fixture.h"
#include "testing/s3/uri.h"

namespace weir::testing::s3 {
namespace {

class FaultServerTest : public FaultServerFixture {};

TEST_F(FaultServerTest, KeepsWhatIsPut) {
  std::string content(3 << 20, '\0');
  for (size_t i = 0; i < content.size(); i++) content[i] = static_cast<char>(i * 2654435761U >> 13);
  EXPECT_EQ(put("a%20b/%2B%25", content).status, 200);
  EXPECT_EQ(server_->objects().get("bucket", "a b/+%")->bytes, content);
  const RawAnswer got = get("a%20b/%2B%25");
  EXPECT_EQ(got.status, 200);
  EXPECT_EQ(got.body, content);
  EXPECT_EQ(client().request("HEAD", "/bucket/a%20b/%2B%25").header("content-length"), "3145728");
  EXPECT_EQ(client().request("DELETE", "/bucket/a%20b/%2B%25").status, 204);
  EXPECT_EQ(get("a%20b/%2B%25").code(), "NoSuchKey");
}

TEST_F(FaultServerTest, GivesRanges) {
  put("key", "0123456789");
  const RawAnswer middle = get("key", {{"Range", "bytes=2-4"}});
  EXPECT_EQ(middle.status, 206);
  EXPECT_EQ(middle.body, "234");
  EXPECT_EQ(middle.header("content-range"), "bytes 2-4/10");
  EXPECT_EQ(get("key", {{"Range", "bytes=8-"}}).body, "89");
  EXPECT_EQ(get("key", {{"Range", "bytes=-3"}}).body, "789");
  EXPECT_EQ(get("key", {{"Range", "bytes=8-1000"}}).body, "89");
  EXPECT_EQ(get("key", {{"Range", "bytes=10-11"}}).code(), "InvalidRange");
  EXPECT_EQ(get("key", {{"Range", "lines=1-2"}}).status, 200);
}

TEST_F(FaultServerTest, ChecksWhatIsSaidOfABody) {
  const std::string right = to_base64(sha256_bytes("body"));
  const std::string wrong = to_base64(sha256_bytes("other"));
  EXPECT_EQ(put("key", "body", {{"x-amz-checksum-sha256", right}}).header("x-amz-checksum-sha256"), right);
  EXPECT_EQ(get("key").header("x-amz-checksum-sha256"), right);
  EXPECT_EQ(put("bad", "body", {{"x-amz-checksum-sha256", wrong}}).code(), "BadDigest");
  EXPECT_EQ(put("bad", "body", {{"Content-MD5", to_base64(md5_bytes("other"))}}).code(), "BadDigest");
  EXPECT_EQ(put("bad", "body", {{"Content-MD5", "no"}}).code(), "InvalidDigest");
  EXPECT_EQ(put("bad", "body", {{"x-amz-content-sha256", to_hex(sha256_bytes("other"))}}).code(),
            "XAmzContentSHA256Mismatch");
  EXPECT_EQ(get("bad").code(), "NoSuchKey");
  EXPECT_EQ(put("good", "body", {{"Content-MD5", to_base64(md5_bytes("body"))}}).status, 200);
  EXPECT_EQ(put("good", "body", {{"x-amz-content-sha256", "UNSIGNED-PAYLOAD"}}).status, 200);
}

TEST_F(FaultServerTest, RefusesStrangersAndThoseWhoMayNot) {
  EXPECT_EQ(client({}).request("GET", "/bucket/key").code(), "AccessDenied");
  EXPECT_EQ(client({.access_key = "nobody", .secret_key = "x"}).request("GET", "/bucket/key").code(),
            "InvalidAccessKeyId");
  EXPECT_EQ(client({.access_key = "weir-access", .secret_key = "x"}).request("GET", "/bucket/key").code(),
            "SignatureDoesNotMatch");
  const Credential reader{.access_key = "reader", .secret_key = "x", .may_write = false};
  server_->credentials().set(reader);
  put("key", "body");
  EXPECT_EQ(client(reader).request("GET", "/bucket/key").body, "body");
  EXPECT_EQ(client(reader).request("PUT", "/bucket/key", "other").code(), "AccessDenied");
  EXPECT_EQ(client(reader).request("DELETE", "/bucket/key").code(), "AccessDenied");
  EXPECT_EQ(get("key").body, "body");
}

TEST_F(FaultServerTest, OfManyPutsOfWhatIsAbsentOneWins) {
  std::atomic<int> won = 0;
  std::atomic<int> lost = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; i++) {
    threads.emplace_back([&, i] {
      const RawAnswer answer = put("one", std::to_string(i), {{"If-None-Match", "*"}});
      if (answer.status == 200) won++;
      if (answer.code() == "PreconditionFailed" && answer.status == 412) lost++;
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(won, 1);
  EXPECT_EQ(lost, 7);
}

TEST_F(FaultServerTest, ListsByPages) {
  for (const auto* key : {"a", "b", "c%20d", "e%26f"}) put(key, "x");
  const RawAnswer first = client().request("GET", "/bucket?list-type=2&max-keys=3&encoding-type=url");
  EXPECT_NE(first.body.find("<Key>c+d</Key>"), std::string::npos);
  EXPECT_NE(first.body.find("<IsTruncated>true</IsTruncated>"), std::string::npos);
  const size_t token = first.body.find("<NextContinuationToken>") + 23;
  const std::string second =
      "/bucket?continuation-token=" +
      uri_encode(first.body.substr(token, first.body.find('<', token) - token), Slashes::kEncode) + "&list-type=2";
  const RawAnswer rest = client().request("GET", second);
  EXPECT_NE(rest.body.find("<KeyCount>1</KeyCount>"), std::string::npos);
  EXPECT_NE(rest.body.find("<Key>e&amp;f</Key>"), std::string::npos);
  EXPECT_NE(rest.body.find("<IsTruncated>false</IsTruncated>"), std::string::npos);
  EXPECT_EQ(client().request("GET", "/bucket?list-type=2&max-keys=x").code(), "InvalidArgument");
  EXPECT_EQ(client().request("GET", "/bucket?continuation-token=%21&list-type=2").code(), "InvalidArgument");
}

TEST_F(FaultServerTest, DeletesMany) {
  for (const auto* key : {"a", "b%26", "c"}) put(key, "x");
  const std::string body = "<Delete><Object><Key>a</Key></Object><Object><Key>b&amp;</Key></Object></Delete>";
  const Headers checked = {{"x-amz-checksum-sha256", to_base64(sha256_bytes(body))}};
  EXPECT_EQ(client().request("POST", "/bucket?delete", body).code(), "InvalidRequest");
  EXPECT_EQ(client().request("POST", "/bucket?delete", body, checked).status, 200);
  EXPECT_EQ(server_->objects().list("bucket", "", "", 10, 0).size(), 1U);
  const Headers empty = {{"x-amz-checksum-sha256", to_base64(sha256_bytes("<Delete/>"))}};
  EXPECT_EQ(client().request("POST", "/bucket?delete", "<Delete/>", empty).code(), "MalformedXML");
}

TEST_F(FaultServerTest, KnowsBucketsByHostToo) {
  const std::string host = fmt::format("bucket.localhost:{}", server_->port());
  EXPECT_EQ(client().request("PUT", "/by/host", "x", {{"Host", host}}).status, 200);
  EXPECT_EQ(get("by/host").body, "x");
  EXPECT_EQ(client().request("GET", "/by/host", "", {{"Host", "bucket.localhost"}}).body, "x");
  EXPECT_EQ(client().request("GET", "/by/host", "", {{"Host", "other.localhost"}}).code(), "NoSuchBucket");
  EXPECT_EQ(client().request("GET", "/other/key").code(), "NoSuchBucket");
}

TEST_F(FaultServerTest, ARefusedBodyIsNotSentWhenTheClientAsksFirst) {
  const RawClient stranger = client({.access_key = "nobody", .secret_key = "x"});
  const RawAnswer answer =
      stranger.request("PUT", "/bucket/key", "", {{"Expect", "100-continue"}, {"Content-Length", "9"}});
  EXPECT_EQ(answer.code(), "InvalidAccessKeyId");
  EXPECT_EQ(answer.header("connection"), "close");
  EXPECT_EQ(put("key", "body", {{"Expect", "100-continue"}}).status, 200);
}

TEST_F(FaultServerTest, CountsWhatAnObjectWentThrough) {
  put("key", "12345");
  put("key", "123");
  get("key");
  get("absent");
  const CounterValues values = server_->counters().values();
  EXPECT_EQ(values.requests.at("PutObject"), 2U);
  EXPECT_EQ(values.requests.at("GetObject"), 2U);
  EXPECT_EQ(values.answers.at("404 NoSuchKey"), 1U);
  EXPECT_EQ(values.bytes_in, 8U);
  const ObjectCounters object = values.objects.at("bucket/key");
  EXPECT_EQ(object.puts_done, 2U);
  EXPECT_EQ(object.bytes_received, 8U);
  EXPECT_EQ(object.bytes_sent, 3U);
  server_->counters().reset();
  EXPECT_TRUE(server_->counters().values().requests.empty());
}

TEST_F(FaultServerTest, EndsWhileClientsWait) {
  server_->set_unreachable(true);
  std::thread waiting([&] { EXPECT_EQ(get("key").ending, Ending::kShort); });
  while (server_->counters().values().requests["GetObject"] == 0) std::this_thread::yield();
  server_.reset();
  waiting.join();
}

}  // namespace
}  // namespace weir::testing::s3
