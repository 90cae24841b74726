#include "testing/s3/digests.h"

#include <gtest/gtest.h>

#include "base/hex.h"

namespace weir::testing::s3 {
namespace {

TEST(Digests, HmacIsThatOfRfc4231) {
  EXPECT_EQ(to_hex(hmac_sha256(std::string(20, '\x0b'), "Hi There")),
            "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
  EXPECT_EQ(to_hex(hmac_sha256(std::string(131, '\xaa'), "Test Using Larger Than Block-Size Key - Hash Key First")),
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
}

TEST(Digests, Md5IsThatOfRfc1321) {
  EXPECT_EQ(to_hex(md5_bytes("message digest")), "f96b697d7cb7938d525a2f31aaf161d0");
}

TEST(Digests, Base64IsThatOfRfc4648) {
  EXPECT_EQ(to_base64("fooba"), "Zm9vYmE=");
  EXPECT_EQ(to_base64("foob"), "Zm9vYg==");
  EXPECT_EQ(from_base64("Zm9vYg=="), "foob");
  EXPECT_EQ(from_base64("Zm9vYmFy"), "foobar");
  EXPECT_FALSE(from_base64("Zm9vYg"));
  EXPECT_FALSE(from_base64("Zm9v!g=="));
}

}  // namespace
}  // namespace weir::testing::s3
