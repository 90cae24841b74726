#include "daemon/doctor/machine.h"

#include <gtest/gtest.h>

namespace weir {
namespace {

using Level = Finding::Level;

Finding finding(const std::string& release, bool may_lend_files, const std::string& about) {
  for (const Finding& one : judge_kernel(release, may_lend_files)) {
    if (one.name == about) return one;
  }
  ADD_FAILURE() << "nothing is said about " << about;
  return {};
}

// It said that this version's daemon serves all reads, which had long become untrue.
TEST(Doctor, SaysThatTheKernelReadsFilesByItselfWhereItDoes) {
  EXPECT_NE(finding("6.18.44", true, "passthrough").what.find("can read complete files"), std::string::npos);
  EXPECT_NE(finding("6.9.0", false, "passthrough").what.find("CAP_SYS_ADMIN"), std::string::npos);
  EXPECT_NE(finding("6.8.0-31-generic", true, "passthrough").what.find("before 6.9"), std::string::npos);
}

// It called kernels too old that mount without complaint.
TEST(Doctor, RefusesOnlyKernelsThatCannotMount) {
  EXPECT_EQ(finding("5.3.18", true, "kernel").level, Level::kFailure);
  EXPECT_EQ(finding("5.4.0", true, "kernel").level, Level::kWarning);
  EXPECT_EQ(finding("6.1.0-56-amd64", true, "kernel").level, Level::kWarning);
  EXPECT_EQ(finding("6.6.1", true, "kernel").level, Level::kOk);
  EXPECT_EQ(finding("unreadable", true, "kernel").level, Level::kFailure);
}

}  // namespace
}  // namespace weir
