#include "base/siphash.h"

#include <gtest/gtest.h>

#include <string>

namespace weir {
namespace {

// Key bytes 00..0f and messages 00..n-1, as in the test vectors of the paper's authors.
constexpr std::array<uint64_t, 2> kKey = {0x0706050403020100, 0x0f0e0d0c0b0a0908};

std::string message(int length) {
  std::string bytes;
  for (int i = 0; i < length; ++i) bytes.push_back(static_cast<char>(i));
  return bytes;
}

TEST(SipHash, GivesTheOfficialVectors) {
  EXPECT_EQ(siphash(message(0), kKey), 0x726fdb47dd0e0e31u);
  EXPECT_EQ(siphash(message(1), kKey), 0x74f839c593dc67fdu);
  EXPECT_EQ(siphash(message(2), kKey), 0x0d6c8009d9a94f5au);
  EXPECT_EQ(siphash(message(3), kKey), 0x85676696d7fb7e2du);
  EXPECT_EQ(siphash(message(7), kKey), 0xab0200f58b01d137u);
  EXPECT_EQ(siphash(message(8), kKey), 0x93f5f5799a932462u);
  EXPECT_EQ(siphash(message(15), kKey), 0xa129ca6149be45e5u);
  EXPECT_EQ(siphash(message(63), kKey), 0x958a324ceb064572u);
}

TEST(SipHash, DependsOnBothHalvesOfTheKey) {
  uint64_t hash = siphash("name", kKey);
  EXPECT_NE(siphash("name", {kKey[0] ^ 1, kKey[1]}), hash);
  EXPECT_NE(siphash("name", {kKey[0], kKey[1] ^ 1}), hash);
}

}  // namespace
}  // namespace weir
