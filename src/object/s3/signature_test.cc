// The vectors are AWS's own: those of its signature test suite, and the examples of its S3 documentation.
#include "object/s3/signature.h"

#include <gtest/gtest.h>

#include "base/hex.h"
#include "base/sha256.h"

namespace weir::object {
namespace {

constexpr char kEmptySha256[] = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

std::string signature_of(const std::string& authorization) {
  return authorization.substr(authorization.rfind('=') + 1);
}

class SuiteSignature : public ::testing::Test {
 protected:
  std::string sign(std::string_view method, std::string_view path, const Query& query,
                   std::vector<HttpHeader> headers = {}) {
    headers.push_back({"Host", "example.amazonaws.com"});
    headers.push_back({"X-Amz-Date", "20150830T123600Z"});
    return authorization({method, path, query, headers, kEmptySha256}, {"20150830T123600Z", "us-east-1", "service"},
                         credentials_);
  }

  Credentials credentials_{"AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "", std::nullopt};
};

TEST_F(SuiteSignature, Vanilla) {
  EXPECT_EQ(sign("GET", "/", {}),
            "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, "
            "SignedHeaders=host;x-amz-date, "
            "Signature=5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31");
  EXPECT_EQ(signature_of(sign("POST", "/", {})), "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b");
}

TEST_F(SuiteSignature, QueryInOrderOfNames) {
  EXPECT_EQ(signature_of(sign("GET", "/", {{"Param2", "value2"}, {"Param1", "value1"}})),
            "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500");
}

class S3Signature : public ::testing::Test {
 protected:
  std::string sign(std::string_view method, std::string_view path, const Query& query, std::string_view body_sha256,
                   std::vector<HttpHeader> headers = {}) {
    headers.push_back({"host", "examplebucket.s3.amazonaws.com"});
    headers.push_back({"x-amz-date", "20130524T000000Z"});
    headers.push_back({"x-amz-content-sha256", std::string(body_sha256)});
    return authorization({method, path, query, headers, body_sha256}, {"20130524T000000Z", "us-east-1", "s3"},
                         credentials_);
  }

  Credentials credentials_{"AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "", std::nullopt};
};

TEST_F(S3Signature, GetOfARange) {
  EXPECT_EQ(sign("GET", "/test.txt", {}, kEmptySha256, {{"range", "bytes=0-9"}}),
            "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request, "
            "SignedHeaders=host;range;x-amz-content-sha256;x-amz-date, "
            "Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41");
}

TEST_F(S3Signature, PutWithAnEncodedName) {
  Sha256Digest digest = sha256("Welcome to Amazon S3.");
  std::string body = to_hex(std::string_view(reinterpret_cast<const char*>(digest.data()), digest.size()));
  EXPECT_EQ(
      signature_of(sign("PUT", "/test%24file.text", {}, body,
                        {{"date", "Fri, 24 May 2013 00:00:00 GMT"}, {"x-amz-storage-class", "REDUCED_REDUNDANCY"}})),
      "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd");
}

TEST_F(S3Signature, QueryWithoutAValue) {
  EXPECT_EQ(signature_of(sign("GET", "/", {{"lifecycle", ""}}, kEmptySha256)),
            "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543");
}

TEST_F(S3Signature, ListOfObjects) {
  EXPECT_EQ(signature_of(sign("GET", "/", {{"prefix", "J"}, {"max-keys", "2"}}, kEmptySha256)),
            "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7");
}

TEST(Signature, EncodesQueriesAsTheyAreSigned) {
  EXPECT_EQ(encoded_query({{"start-after", "a/b c"}, {"prefix", "\xe1\x88\xb4+"}, {"delete", ""}}),
            "delete=&prefix=%E1%88%B4%2B&start-after=a%2Fb%20c");
  EXPECT_EQ(encoded_query({{"a-b", "1"}, {"a", "2"}, {"a", "1"}}), "a=1&a=2&a-b=1");
}

TEST(Signature, TrimsAndJoinsHeaderValues) {
  std::vector<HttpHeader> plain{{"host", "h"}, {"x-amz-date", "20130524T000000Z"}, {"my", "a b,c"}};
  std::vector<HttpHeader> loose{{"My", "  a   b "}, {"host", "h"}, {"MY", "c"}, {"x-amz-date", "20130524T000000Z"}};
  Credentials credentials{"key", "secret", "", std::nullopt};
  SigningScope scope{"20130524T000000Z", "r", "s3"};
  EXPECT_EQ(authorization({"GET", "/", {}, plain, kEmptySha256}, scope, credentials),
            authorization({"GET", "/", {}, loose, kEmptySha256}, scope, credentials));
}

TEST(Signature, WritesTimesInUtc) { EXPECT_EQ(signing_time(1369353600'000'000'000), "20130524T000000Z"); }

}  // namespace
}  // namespace weir::object
