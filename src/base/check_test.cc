#include "base/check.h"

#include <gtest/gtest.h>

namespace weir {
namespace {

TEST(Check, PassesWhatHolds) {
  int evaluated = 0;
  CHECK(++evaluated == 1);
  EXPECT_EQ(evaluated, 1);
}

TEST(CheckDeathTest, AbortsAndSaysWhere) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_DEATH(CHECK(1 + 1 == 3), "broken invariant at .*check_test.cc:[0-9]+: 1 \\+ 1 == 3");
  EXPECT_DEATH(check_failed("f.cc", 7, "x", "because"), "f.cc:7: x because");
}

}  // namespace
}  // namespace weir
