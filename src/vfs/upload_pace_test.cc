#include "vfs/upload_pace.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>

namespace weir::vfs {
namespace {

constexpr uint64_t kMib = 1u << 20;

TEST(UploadPaceTest, no_more_bytes_are_in_memory_than_there_is_room_for) {
  SystemClock clock;
  UploadPace pace(clock, 10 * kMib, 0);
  std::atomic<uint64_t> now = 0;
  std::atomic<uint64_t> most = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&] {
      for (int round = 0; round < 50; ++round) {
        ASSERT_TRUE(pace.begin(4 * kMib));
        const uint64_t in_hand = now += 4 * kMib;
        for (uint64_t seen = most; in_hand > seen && !most.compare_exchange_weak(seen, in_hand);) {
        }
        std::this_thread::yield();
        now -= 4 * kMib;
        pace.end(4 * kMib, true);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_LE(most, 8 * kMib);
}

TEST(UploadPaceTest, what_is_larger_than_the_memory_goes_alone) {
  SystemClock clock;
  UploadPace pace(clock, kMib, 0);
  ASSERT_TRUE(pace.begin(4 * kMib));
  std::atomic<bool> second = false;
  std::thread other([&] {
    EXPECT_TRUE(pace.begin(1));
    second = true;
    pace.end(1, true);
  });
  clock.sleep_ms(20);
  EXPECT_FALSE(second);
  pace.end(4 * kMib, true);
  other.join();
  EXPECT_TRUE(second);
}

TEST(UploadPaceTest, goes_no_faster_than_allowed_and_says_how_fast) {
  SystemClock clock;
  UploadPace pace(clock, 100 * kMib, 10 * kMib);
  const int64_t begun_ns = clock.monotonic_ns();
  for (int i = 0; i < 23; ++i) {
    ASSERT_TRUE(pace.begin(kMib));
    pace.end(kMib, true);
  }
  // The first goes at once.
  EXPECT_GE(clock.monotonic_ns() - begun_ns, 2'190'000'000);
  EXPECT_GT(pace.bytes_per_second(), kMib);
  EXPECT_LT(pace.bytes_per_second(), 25 * kMib);
}

TEST(UploadPaceTest, nobody_waits_for_ever_at_the_end) {
  SystemClock clock;
  UploadPace pace(clock, 100 * kMib, 1);
  ASSERT_TRUE(pace.begin(kMib));
  std::thread other([&] { EXPECT_FALSE(pace.begin(kMib)); });
  clock.sleep_ms(20);
  pace.stop();
  other.join();
}

}  // namespace
}  // namespace weir::vfs
