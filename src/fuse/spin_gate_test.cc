#include "fuse/spin_gate.h"

#include <gtest/gtest.h>

namespace weir::fuse {
namespace {

TEST(SpinGate, LetsNobodyInWhenSpinningIsOff) {
  SpinGate gate(0, 4);
  EXPECT_FALSE(gate.enter(1));
}

TEST(SpinRecord, MissesStopSpinningAndAHitStartsItAgain) {
  SpinRecord record;
  int tries_without_luck = 0;
  for (int i = 0; i < 160; ++i) {
    if (!record.worth_trying()) continue;
    ++tries_without_luck;
    record.add(false);
  }
  EXPECT_EQ(tries_without_luck, 10);
  record.add(true);
  EXPECT_TRUE(record.worth_trying());
  record.add(true);
  record.add(false);
  EXPECT_TRUE(record.worth_trying());
  record.add(false);
  EXPECT_FALSE(record.worth_trying());
}

}  // namespace
}  // namespace weir::fuse
