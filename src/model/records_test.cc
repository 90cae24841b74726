#include "model/records.h"

#include <gtest/gtest.h>

namespace weir {
namespace {

TEST(ChunkRecordTest, a_flag_that_is_neither_zero_nor_one_is_refused) {
  ChunkRecord record;
  record.generation = 3;
  record.was_stored = true;
  record.length_bytes = 100;
  Bytes bytes = record.encode();
  ASSERT_TRUE(ChunkRecord::decode(bytes).has_value());
  EXPECT_TRUE(*ChunkRecord::decode(bytes) == record);
  // Version, generation and state come before it.
  char& flag = bytes[1 + 8 + 1];
  ASSERT_EQ(flag, 1);
  flag = 'z';
  EXPECT_EQ(ChunkRecord::decode(bytes).error().code, Code::kCorrupt);
}

}  // namespace
}  // namespace weir
