#include "base/hex.h"

#include <gtest/gtest.h>

namespace weir {
namespace {

TEST(Hex, WritesLowerCase) {
  EXPECT_EQ(to_hex(""), "");
  EXPECT_EQ(to_hex(std::string("\x00\x7f\x80\xff", 4)), "007f80ff");
}

TEST(Hex, ReadsBothCases) { EXPECT_EQ(from_hex("00aBfF"), std::string("\x00\xab\xff", 3)); }

TEST(Hex, ReadsBackEveryByte) {
  std::string all;
  for (int i = 0; i < 256; ++i) all.push_back(static_cast<char>(i));
  EXPECT_EQ(from_hex(to_hex(all)), all);
}

TEST(Hex, RefusesOtherText) {
  for (const char* text : {"0", "0g", "g0", "0x10", " 0", "12 3", "-1", "1:2a"}) EXPECT_FALSE(from_hex(text)) << text;
}

}  // namespace
}  // namespace weir
