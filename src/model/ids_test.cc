#include "model/ids.h"

#include <gtest/gtest.h>

namespace weir {
namespace {

TEST(ContentNameTest, only_its_own_spelling_is_a_name) {
  std::string text(64, 'a');
  text[1] = '7';
  ASSERT_TRUE(ChunkId::from_hex(text).has_value());
  EXPECT_EQ(ChunkId::from_hex(text)->hex(), text);
  // A file of this name is another file, and would have been taken for the one of that content.
  text[0] = 'A';
  EXPECT_FALSE(ChunkId::from_hex(text).has_value());
  EXPECT_FALSE(ManifestId::from_hex(text.substr(2)).has_value());
  EXPECT_FALSE(ManifestId::from_hex("").has_value());
}

}  // namespace
}  // namespace weir
