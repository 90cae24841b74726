#include "base/base64.h"

#include <gtest/gtest.h>

namespace weir {
namespace {

TEST(Base64, GivesTheVectorsOfRfc4648) {
  EXPECT_EQ(to_base64(""), "");
  EXPECT_EQ(to_base64("f"), "Zg==");
  EXPECT_EQ(to_base64("fo"), "Zm8=");
  EXPECT_EQ(to_base64("foo"), "Zm9v");
  EXPECT_EQ(to_base64("foob"), "Zm9vYg==");
  EXPECT_EQ(to_base64("fooba"), "Zm9vYmE=");
  EXPECT_EQ(to_base64("foobar"), "Zm9vYmFy");
}

TEST(Base64, TakesEveryByte) { EXPECT_EQ(to_base64(std::string_view("\xff\x00\xfe", 3)), "/wD+"); }

TEST(Base64, ReadsWhatItWrote) {
  for (const char* text : {"", "f", "fo", "foo", "foob"}) EXPECT_EQ(from_base64(to_base64(text)), text);
  for (const char* text : {"Zg=", "Zg", "Z g=", "Zh==", "====", "Zg==\n", "Zg==Zg=="}) EXPECT_FALSE(from_base64(text));
}

}  // namespace
}  // namespace weir
