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
          .zone = "us-east-1a",
          .address = "10.0.0.7:7481",
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
  whole[0] = 3;
  EXPECT_FALSE(NodeInfo::decode(whole));
}

TEST(NodeInfo, OfAVersionWithoutSeveralNodesIsRead) {
  NodeInfo old = example();
  old.zone.clear();
  old.address.clear();
  Bytes bytes = old.encode();
  // A flag and two empty texts are new.
  bytes.resize(bytes.size() - 1 - 2 * sizeof(uint32_t));
  bytes[0] = 1;
  EXPECT_EQ(NodeInfo::decode(bytes).value(), old);
}

}  // namespace
}  // namespace weir
