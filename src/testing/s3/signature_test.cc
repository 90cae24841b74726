#include "testing/s3/signature.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "testing/s3/times.h"

namespace weir::testing::s3 {
namespace {

constexpr std::string_view kEmpty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

/// An example that AWS publishes: the request as it is sent, and its signature.
struct Example {
  std::string_view name;
  std::string_view request;  // lines end with \n here
  std::string_view signed_headers;
  std::string_view signature;
};

Request request_of(const Example& example) {
  std::string head;
  for (const char byte : example.request) head += byte == '\n' ? "\r\n" : std::string(1, byte);
  const auto request = parse_request(head + "\r\n");
  EXPECT_TRUE(request) << example.name;
  return request.value_or(Request());
}

// https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html, 2013-05-24 in us-east-1.
constexpr std::string_view kS3Key = "AKIAIOSFODNN7EXAMPLE";
constexpr std::string_view kS3Secret = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
constexpr auto kS3Examples = std::to_array<Example>({
    {"get object",
     "GET /test.txt HTTP/1.1\nHost: examplebucket.s3.amazonaws.com\nRange: bytes=0-9\n"
     "x-amz-content-sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\n"
     "x-amz-date: 20130524T000000Z\n",
     "host;range;x-amz-content-sha256;x-amz-date", "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"},
    {"put object",
     "PUT /test$file.text HTTP/1.1\nHost: examplebucket.s3.amazonaws.com\nDate: Fri, 24 May 2013 00:00:00 GMT\n"
     "x-amz-date: 20130524T000000Z\nx-amz-storage-class: REDUCED_REDUNDANCY\n"
     "x-amz-content-sha256: 44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072\n",
     "date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class",
     "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd"},
    {"get bucket lifecycle",
     "GET /?lifecycle HTTP/1.1\nHost: examplebucket.s3.amazonaws.com\nx-amz-date: 20130524T000000Z\n"
     "x-amz-content-sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\n",
     "host;x-amz-content-sha256;x-amz-date", "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543"},
    {"list objects",
     "GET /?max-keys=2&prefix=J HTTP/1.1\nHost: examplebucket.s3.amazonaws.com\nx-amz-date: 20130524T000000Z\n"
     "x-amz-content-sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\n",
     "host;x-amz-content-sha256;x-amz-date", "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"},
});

// The test suite of signature version 4, 2015-08-30 in us-east-1, service "service".
constexpr auto kSuite = std::to_array<Example>({
    {"get-vanilla", "GET / HTTP/1.1\nHost:example.amazonaws.com\nX-Amz-Date:20150830T123600Z\n", "host;x-amz-date",
     "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"},
    {"get-vanilla-query-order-key-case",
     "GET /?Param2=value2&Param1=value1 HTTP/1.1\nHost:example.amazonaws.com\nX-Amz-Date:20150830T123600Z\n",
     "host;x-amz-date", "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500"},
    {"get-vanilla-utf8-query", "GET /?ሴ=bar HTTP/1.1\nHost:example.amazonaws.com\nX-Amz-Date:20150830T123600Z\n",
     "host;x-amz-date", "2cdec8eed098649ff3a119c94853b13c643bcf08f8b0a1d91e12c9027818dd04"},
    {"get-header-value-trim",
     "GET / HTTP/1.1\nHost:example.amazonaws.com\nMy-Header1: value1\nMy-Header2: \"a   b   c\"\n"
     "X-Amz-Date:20150830T123600Z\n",
     "host;my-header1;my-header2;x-amz-date", "acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736"},
    {"post-vanilla", "POST / HTTP/1.1\nHost:example.amazonaws.com\nX-Amz-Date:20150830T123600Z\n", "host;x-amz-date",
     "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"},
});

std::string header_of(const Example& example, std::string_view key, std::string_view scope) {
  return fmt::format("AWS4-HMAC-SHA256 Credential={}/{},SignedHeaders={},Signature={}", key, scope,
                     example.signed_headers, example.signature);
}

TEST(Signature, IsThatOfThePublishedTestSuite) {
  for (const Example& example : kSuite) {
    const auto authorization =
        parse_authorization(header_of(example, "AKIDEXAMPLE", "20150830/us-east-1/service/aws4_request"));
    ASSERT_TRUE(authorization);
    EXPECT_EQ(expected_signature(request_of(example), *authorization, "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
                                 "20150830T123600Z", kEmpty),
              example.signature)
        << example.name;
  }
}

class Authenticate : public ::testing::Test {
 protected:
  Authenticate() { credentials_.set({.access_key = std::string(kS3Key), .secret_key = std::string(kS3Secret)}); }

  Request signed_request(const Example& example, std::string_view key = kS3Key,
                         std::string_view scope = "20130524/us-east-1/s3/aws4_request") const {
    Request request = request_of(example);
    request.headers.emplace_back("Authorization", header_of(example, key, scope));
    return request;
  }

  /// "" when all is well.
  std::string problem(const Request& request, int64_t late_seconds = 0, std::string_view region = "us-east-1") const {
    const int64_t now = parse_compact_time("20130524T000000Z").value_or(0) + late_seconds;
    const auto who = authenticate(request, credentials_, region, now);
    const auto* error = std::get_if<S3Error>(&who);
    return error == nullptr ? "" : error->code;
  }

  CredentialTable credentials_;
};

TEST_F(Authenticate, TakesThePublishedExamplesOfS3) {
  for (const Example& example : kS3Examples) EXPECT_EQ(problem(signed_request(example)), "") << example.name;
}

TEST_F(Authenticate, RefusesWhatWasChangedAfterItWasSigned) {
  for (const Example& example : kS3Examples) {
    Request other_path = signed_request(example);
    other_path.path += "x";
    EXPECT_EQ(problem(other_path), "SignatureDoesNotMatch") << example.name;
    Request other_query = signed_request(example);
    other_query.query += "&more=1";
    EXPECT_EQ(problem(other_query), "SignatureDoesNotMatch") << example.name;
    Request other_method = signed_request(example);
    other_method.method = "DELETE";
    EXPECT_EQ(problem(other_method), "SignatureDoesNotMatch") << example.name;
    Request other_host = signed_request(example);
    other_host.headers[0].second = "otherbucket.s3.amazonaws.com";
    EXPECT_EQ(problem(other_host), "SignatureDoesNotMatch") << example.name;
  }
}

TEST_F(Authenticate, RefusesHeadersOfItsOwnThatAreNotSigned) {
  Request request = signed_request(kS3Examples[0]);
  request.headers.emplace_back("X-Amz-Acl", "public-read");
  EXPECT_EQ(problem(request), "AccessDenied");
}

TEST_F(Authenticate, SaysWhatIsWrong) {
  const Example& example = kS3Examples[0];
  EXPECT_EQ(problem(request_of(example)), "AccessDenied");
  EXPECT_EQ(problem(signed_request(example, "nobody")), "InvalidAccessKeyId");
  EXPECT_EQ(problem(signed_request(example), 899), "");
  EXPECT_EQ(problem(signed_request(example), 901), "RequestTimeTooSkewed");
  EXPECT_EQ(problem(signed_request(example), -901), "RequestTimeTooSkewed");
  EXPECT_EQ(problem(signed_request(example), 0, "eu-west-1"), "AuthorizationHeaderMalformed");
  EXPECT_EQ(problem(signed_request(example, kS3Key, "20130525/us-east-1/s3/aws4_request")),
            "AuthorizationHeaderMalformed");
  EXPECT_EQ(problem(signed_request(example, kS3Key, "20130524/us-east-1/ec2/aws4_request")),
            "AuthorizationHeaderMalformed");
  Request other_form = request_of(example);
  other_form.headers.emplace_back("Authorization", "AWS AKIAIOSFODNN7EXAMPLE:frJIUN8DYpKDtOLCwo//yllqDzg=");
  EXPECT_EQ(problem(other_form), "AuthorizationHeaderMalformed");
}

TEST_F(Authenticate, RefusesLackingWrongAndExpiredTokens) {
  Credential credential{.access_key = std::string(kS3Key), .secret_key = std::string(kS3Secret)};
  credential.session_token = "token";
  credentials_.set(credential);
  Request request = signed_request(kS3Examples[0]);
  EXPECT_EQ(problem(request), "InvalidAccessKeyId");
  request.headers.emplace_back("x-amz-security-token", "other");
  EXPECT_EQ(problem(request), "InvalidToken");
  request.headers.back().second = "token";
  EXPECT_EQ(problem(request), "AccessDenied");  // the token is not signed
  credential.expires_seconds = 1;
  credentials_.set(credential);
  EXPECT_EQ(problem(request), "ExpiredToken");
}

TEST_F(Authenticate, WantsToKnowTheBodysDigest) {
  Request request = signed_request(kS3Examples[0]);
  std::erase_if(request.headers, [](const auto& header) { return header.first == "x-amz-content-sha256"; });
  EXPECT_EQ(problem(request), "InvalidRequest");
  request.headers.emplace_back("x-amz-content-sha256", "abc");
  EXPECT_EQ(problem(request), "InvalidArgument");
}

}  // namespace
}  // namespace weir::testing::s3
