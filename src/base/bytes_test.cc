#include "base/bytes.h"

#include <gtest/gtest.h>

#include <limits>

namespace weir {
namespace {

Bytes sample() {
  return Encoder()
      .u8(0x12)
      .u16(0x3456)
      .u32(0x789abcde)
      .u64(0x0123456789abcdef)
      .i64(-2)
      .sized("name")
      .raw("tail")
      .bytes();
}

TEST(Bytes, WritesBigEndian) {
  EXPECT_EQ(Encoder().u8(1).u16(0x0203).u32(0x04050607).bytes(), (Bytes{1, 2, 3, 4, 5, 6, 7}));
  EXPECT_EQ(Encoder().sized("ab").bytes(), Bytes("\0\0\0\2ab", 6));
}

TEST(Bytes, ReadsBackWhatWasWritten) {
  Bytes bytes = sample();
  Decoder decoder(bytes);
  EXPECT_EQ(decoder.u8(), 0x12);
  EXPECT_EQ(decoder.u16(), 0x3456);
  EXPECT_EQ(decoder.u32(), 0x789abcdeu);
  EXPECT_EQ(decoder.u64(), 0x0123456789abcdefu);
  EXPECT_EQ(decoder.i64(), -2);
  EXPECT_EQ(decoder.sized(), "name");
  EXPECT_EQ(decoder.remaining(), 4u);
  EXPECT_EQ(decoder.raw(4), "tail");
  EXPECT_TRUE(decoder.finish("sample"));
}

TEST(Bytes, EncodedNumbersSortAsNumbersDo) {
  uint64_t numbers[] = {
      0, 1, 127, 128, 255, 256, 65535, 65536, 1ull << 31, 1ull << 63, std::numeric_limits<uint64_t>::max()};
  for (uint64_t a : numbers) {
    for (uint64_t b : numbers) EXPECT_EQ(Encoder().u64(a).bytes() < Encoder().u64(b).bytes(), a < b) << a << " " << b;
  }
}

TEST(Bytes, NoticesEveryTruncation) {
  Bytes bytes = sample();
  for (size_t length = 0; length < bytes.size(); ++length) {
    Decoder decoder(std::string_view(bytes).substr(0, length));
    decoder.u8();
    decoder.u16();
    decoder.u32();
    decoder.u64();
    decoder.i64();
    decoder.sized();
    decoder.raw(4);
    EXPECT_TRUE(decoder.failed()) << length;
    EXPECT_EQ(decoder.finish("sample").error().code, Code::kCorrupt) << length;
  }
}

TEST(Bytes, GivesZerosAfterAFailure) {
  Decoder decoder("ab");
  EXPECT_EQ(decoder.u64(), 0u);
  EXPECT_EQ(decoder.u8(), 0) << "also where bytes are left";
  EXPECT_EQ(decoder.raw(1), "");
}

TEST(Bytes, RefusesALengthBeyondTheInput) {
  Decoder decoder(
      std::string_view("\xff\xff\xff\xff"
                       "abc",
                       7));
  EXPECT_EQ(decoder.sized(), "");
  EXPECT_TRUE(decoder.failed());
}

TEST(Bytes, RefusesLeftovers) {
  Decoder decoder("abc");
  decoder.u8();
  Status finished = decoder.finish("record x");
  ASSERT_FALSE(finished);
  EXPECT_EQ(finished.error().code, Code::kCorrupt);
  EXPECT_EQ(finished.error().what, "record x has 2 bytes too many");
}

TEST(Bytes, FailsWhenTold) {
  Decoder decoder("");
  EXPECT_TRUE(decoder.finish("x"));
  decoder.fail();
  EXPECT_FALSE(decoder.finish("x"));
}

}  // namespace
}  // namespace weir
