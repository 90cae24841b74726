#include "base/size_text.h"

#include <gtest/gtest.h>

namespace weir {
namespace {

TEST(SizeText, ReadsSizes) {
  EXPECT_EQ(parse_bytes("0").value(), 0u);
  EXPECT_EQ(parse_bytes("4096").value(), 4096u);
  EXPECT_EQ(parse_bytes("12B").value(), 12u);
  EXPECT_EQ(parse_bytes("64KiB").value(), 64u << 10);
  EXPECT_EQ(parse_bytes("1.5GiB").value(), 3u << 29);
  EXPECT_EQ(parse_bytes("10G").value(), 10ull << 30);
  EXPECT_EQ(parse_bytes("2TB").value(), 2'000'000'000'000u);
  EXPECT_EQ(parse_bytes("2TiB").value(), 2ull << 40);
  EXPECT_EQ(parse_bytes("3kB").value(), 3000u);
  EXPECT_EQ(parse_bytes("3KB").value(), 3000u);
  EXPECT_EQ(parse_bytes("1PiB").value(), 1ull << 50);
}

TEST(SizeText, RefusesOtherTextAndQuotesIt) {
  for (std::string text : {"",
                           " ",
                           "2TB ",
                           " 2TB",
                           "2 TB",
                           "-1",
                           "+1",
                           "-1GiB",
                           "GiB",
                           ".5G",
                           "1.2.3G",
                           "1e9",
                           "0x10",
                           "1,5G",
                           "12XB",
                           "12KiBs",
                           "12bytes",
                           "inf",
                           "nan",
                           "9999999999999GiB",
                           "99999999999999999999999"}) {
    auto parsed = parse_bytes(text);
    ASSERT_FALSE(parsed) << text;
    EXPECT_EQ(parsed.error().code, Code::kInvalid);
    EXPECT_NE(parsed.error().what.find("'" + text + "'"), std::string::npos) << parsed.error().what;
  }
}

TEST(SizeText, WritesSizes) {
  EXPECT_EQ(format_bytes(0), "0 B");
  EXPECT_EQ(format_bytes(640), "640 B");
  EXPECT_EQ(format_bytes(1023), "1023 B");
  EXPECT_EQ(format_bytes(1536), "1.50 KiB");
  EXPECT_EQ(format_bytes(20 << 20), "20.0 MiB");
  EXPECT_EQ(format_bytes(300ull << 30), "300 GiB");
  EXPECT_EQ(format_bytes(UINT64_MAX), "16.0 EiB");
}

TEST(SizeText, ReadsDurations) {
  EXPECT_EQ(parse_duration_ms("250ms").value(), 250);
  EXPECT_EQ(parse_duration_ms("30s").value(), 30'000);
  EXPECT_EQ(parse_duration_ms("30").value(), 30'000);
  EXPECT_EQ(parse_duration_ms("5m").value(), 300'000);
  EXPECT_EQ(parse_duration_ms("1.5h").value(), 5'400'000);
  EXPECT_EQ(parse_duration_ms("0").value(), 0);
}

TEST(SizeText, RefusesOtherDurations) {
  for (std::string text : {"", "-1", "-5s", "5 m", "5min", "s", "1h30m", "forever", "5M"}) {
    auto parsed = parse_duration_ms(text);
    ASSERT_FALSE(parsed) << text;
    EXPECT_EQ(parsed.error().code, Code::kInvalid);
  }
}

TEST(SizeText, ADurationThatNoNumberHoldsIsRefusedInsteadOfBecomingNegative) {
  for (std::string text : {"40087004966666660", "999999999999999999999d", "101000d"}) {
    auto parsed = parse_duration_ms(text);
    ASSERT_FALSE(parsed) << text;
    EXPECT_EQ(parsed.error().code, Code::kInvalid);
  }
}

}  // namespace
}  // namespace weir
