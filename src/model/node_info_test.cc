#include "model/node_info.h"

#include <gtest/gtest.h>

namespace weir {
namespace {

NodeInfo example() {
  return {.epoch = 7,
          .active = true,
          .host = "gpu-7",
          .mount_point = "/data",
          .cache_directory = "/nvme/weir",
          .process = {"6f1c", 4026531836, 4711, 998877}};
}

TEST(NodeInfo, IsReadBackAsItWasWritten) {
  EXPECT_EQ(NodeInfo::decode(example().encode()).value(), example());
  EXPECT_EQ(LeaseRow::decode(LeaseRow{3, 9}.encode())->renewals, 9u);
}

TEST(NodeInfo, EveryTruncationAndAnotherVersionAreRefused) {
  Bytes whole = example().encode();
  for (size_t length = 0; length < whole.size(); ++length)
    EXPECT_EQ(NodeInfo::decode(whole.substr(0, length)).error().code, Code::kCorrupt) << length;
  EXPECT_FALSE(NodeInfo::decode(whole + "x"));
  whole[0] = 2;
  EXPECT_FALSE(NodeInfo::decode(whole));
}

}  // namespace
}  // namespace weir
