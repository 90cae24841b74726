// Runs the tests; with --work, the volume that a test wants to die at a fault point (fault_point_test.cc).
#include <gtest/gtest.h>

#include <string_view>

#include "fault_work.h"

int main(int count, char** arguments) {
  if (count == 5 && std::string_view(arguments[1]) == "--work")
    return weir::testing::work_until_fault(arguments[2], arguments[3], std::stoul(arguments[4]));
  ::testing::InitGoogleTest(&count, arguments);
  return RUN_ALL_TESTS();
}
