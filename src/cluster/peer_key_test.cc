#include "cluster/peer_key.h"

#include <gtest/gtest.h>

#include "cluster/chunk_sums.h"
#include "cluster/peers_fixture.h"
#include "cluster/sums_table.h"

namespace weir::cluster {
namespace {

Greeting some_greeting() { return {NodeId{3}, NodeId{7}, std::string(32, 'a'), std::string(32, 'b')}; }

// The form of docs/peers.md, computed by another program.
TEST(PeerKeyTest, HasTheWrittenForm) {
  const PeerKey key = PeerKey::of(testing::some_settings());
  EXPECT_EQ(key.proof(some_greeting()), "2096166c5bf39b0e784dd7e63694fd634af7c5e11bc13d624ccacc6f174063d0");
  EXPECT_EQ(request_mac(key.connection_key(some_greeting()), "GET", "/peer/v1/chunks/x", 1, ""),
            "35cdcbd768de59e01c458aab005d44c88614d64dd73e6e42e17aca0244a9cb07");
}

TEST(PeerKeyTest, IsAnotherForAnotherVolumeOrACopyOfIt) {
  const std::string proof = PeerKey::of(testing::some_settings()).proof(some_greeting());
  VolumeSettings other = testing::some_settings();
  other.volume_id[0] = '1';
  EXPECT_NE(PeerKey::of(other).proof(some_greeting()), proof);
  other = testing::some_settings();
  other.incarnation[0] = '1';
  EXPECT_NE(PeerKey::of(other).proof(some_greeting()), proof);
  other = testing::some_settings();
  ++other.name_hash_key[1];
  EXPECT_NE(PeerKey::of(other).proof(some_greeting()), proof);
}

TEST(PeerKeyTest, AMacIsOfEveryPartOfARequest) {
  const std::string key(32, 'k');
  const std::string mac = request_mac(key, "GET", "/a", 1, "b");
  EXPECT_NE(request_mac(key, "POST", "/a", 1, "b"), mac);
  EXPECT_NE(request_mac(key, "GET", "/b", 1, "b"), mac);
  EXPECT_NE(request_mac(key, "GET", "/a", 2, "b"), mac);
  EXPECT_NE(request_mac(key, "GET", "/a", 1, "c"), mac);
  EXPECT_NE(request_mac(std::string(32, 'l'), "GET", "/a", 1, "b"), mac);
}

TEST(PeerKeyTest, NoncesAreHexOfTheRightSize) {
  EXPECT_TRUE(is_nonce(nonce_text(std::string(kNonceBytes, '\x8f'))));
  EXPECT_FALSE(is_nonce(""));
  EXPECT_FALSE(is_nonce(std::string(31, 'a')));
  EXPECT_FALSE(is_nonce(std::string(31, 'a') + "g"));
}

TEST(ChunkSumsTest, FindAnyChangedByte) {
  std::string bytes(200'000, 'x');
  const std::string text = sums_text(sums_of(bytes));
  EXPECT_EQ(text.size(), 4 * 8u);
  EXPECT_TRUE(sums_match(text, bytes));
  for (size_t place : {0u, 65'535u, 65'536u, 199'999u}) {
    std::string changed = bytes;
    changed[place] ^= 4;
    EXPECT_FALSE(sums_match(text, changed)) << place;
  }
  EXPECT_FALSE(sums_match(text.substr(8), bytes));
  EXPECT_FALSE(sums_match(text + "00000000", bytes));
  // RFC 3720: 32 bytes of zeros.
  EXPECT_EQ(sums_text(sums_of(std::string(32, '\0'))), "8a9136aa");
}

TEST(SumsTableTest, KeepsTheOnesUsedLast) {
  SumsTable table(2);
  auto id = [](uint8_t number) {
    Sha256Digest digest{};
    digest[0] = number;
    return ChunkId(digest);
  };
  constexpr size_t kLength = 5;
  table.put(id(1), kLength, {1});
  table.put(id(2), kLength, {2});
  EXPECT_TRUE(table.find(id(1), kLength));
  table.put(id(3), kLength, {3});
  EXPECT_FALSE(table.find(id(2), kLength));
  EXPECT_EQ(table.find(id(1), kLength), ChunkSums{1});
  EXPECT_FALSE(table.find(id(1), kLength + 1));
  table.put(id(1), kLength + 1, {4});
  EXPECT_EQ(table.find(id(1), kLength + 1), ChunkSums{4});
  EXPECT_FALSE(table.find(id(1), kLength));
  table.erase(id(1));
  EXPECT_FALSE(table.find(id(1), kLength + 1));
}

}  // namespace
}  // namespace weir::cluster
