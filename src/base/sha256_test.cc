#include "base/sha256.h"

#include <gtest/gtest.h>

#include <string>
#include <thread>
#include <vector>

#include "base/hex.h"

namespace weir {
namespace {

std::string text(const Sha256Digest& digest) {
  return to_hex(std::string_view(reinterpret_cast<const char*>(digest.data()), digest.size()));
}

// The examples of FIPS 180-4.
constexpr char kOfEmpty[] = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
constexpr char kOfAbc[] = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
constexpr char kOfTwoBlocks[] = "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1";
constexpr char kOfMillionA[] = "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0";

TEST(Sha256, GivesTheStandardsExamples) {
  EXPECT_EQ(text(sha256("")), kOfEmpty);
  EXPECT_EQ(text(sha256("abc")), kOfAbc);
  EXPECT_EQ(text(sha256("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq")), kOfTwoBlocks);
  EXPECT_EQ(text(sha256(std::string(1'000'000, 'a'))), kOfMillionA);
}

TEST(Sha256, GivesTheSameInPieces) {
  for (size_t step : {1, 63, 64, 65, 4096}) {
    Sha256 hash;
    std::string bytes(10'000, 'a');
    for (size_t i = 0; i < bytes.size(); i += step) hash.update(std::string_view(bytes).substr(i, step));
    EXPECT_EQ(hash.finish(), sha256(bytes)) << step;
  }
}

TEST(Sha256, StartsOverAfterFinish) {
  Sha256 hash;
  hash.update("something");
  hash.finish();
  EXPECT_EQ(text(hash.finish()), kOfEmpty);
  hash.update("abc");
  Sha256 moved = std::move(hash);
  EXPECT_EQ(text(moved.finish()), kOfAbc);
}

TEST(Sha256, WorksInManyThreads) {
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([] {
      for (int round = 0; round < 200; ++round) EXPECT_EQ(text(sha256("abc")), kOfAbc);
    });
  }
  for (std::thread& thread : threads) thread.join();
}

}  // namespace
}  // namespace weir
