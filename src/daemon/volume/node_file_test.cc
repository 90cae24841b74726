#include "daemon/volume/node_file.h"

#include <gtest/gtest.h>

#include "base/io.h"
#include "kv/memory/memory_engine.h"
#include "testing/temporary_directory.h"

namespace weir {
namespace {

constexpr const char* kVolume = "0123456789abcdef0123456789abcdef";

class NodeFile : public ::testing::Test {
 protected:
  Result<std::optional<NodeId>> read() { return read_node_file(directory_.path(), kVolume); }
  testing::TemporaryDirectory directory_;
};

TEST_F(NodeFile, ANewCacheDirectoryIsOfNoNode) { EXPECT_FALSE(read().value()); }

TEST_F(NodeFile, WhatIsWrittenIsRead) {
  ASSERT_TRUE(write_node_file(directory_.path(), kVolume, NodeId{42}));
  EXPECT_EQ(read().value(), NodeId{42});
}

TEST_F(NodeFile, ACacheOfAnotherVolumeIsRefusedByName) {
  ASSERT_TRUE(write_node_file(directory_.path(), "another", NodeId{42}));
  auto node = read();
  ASSERT_FALSE(node);
  EXPECT_EQ(node.error().code, Code::kInvalid);
  EXPECT_NE(node.error().what.find("another"), std::string::npos);
}

TEST_F(NodeFile, ADamagedFileIsNoNumber) {
  for (const char* text : {"", "weir node x of volume y\n", "weir node 7", "weir node 0 of volume v\n"}) {
    ASSERT_TRUE(io::write_file_durably(directory_.path() + "/node", text));
    auto node = read();
    ASSERT_FALSE(node) << text;
    EXPECT_EQ(node.error().code, Code::kCorrupt) << text;
  }
}

TEST(NodeIds, AreNeverGivenTwice) {
  kv::MemoryEngine engine;
  EXPECT_EQ(new_node_id(engine).value(), NodeId{1});
  EXPECT_EQ(new_node_id(engine).value(), NodeId{2});
}

}  // namespace
}  // namespace weir
