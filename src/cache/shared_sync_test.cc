#include "cache/shared_sync.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

namespace weir::cache {
namespace {

TEST(SharedSyncTest, one_run_serves_all_that_asked_before_it_began) {
  std::atomic<int> runs = 0;
  std::atomic<bool> open = false;
  SharedSync sync([&]() -> Status {
    ++runs;
    while (!open) std::this_thread::yield();
    return {};
  });
  std::vector<std::thread> callers;
  callers.emplace_back([&] { EXPECT_TRUE(sync.run()); });
  while (runs == 0) std::this_thread::yield();
  for (int i = 0; i < 10; ++i) callers.emplace_back([&] { EXPECT_TRUE(sync.run()); });
  std::this_thread::sleep_for(std::chrono::milliseconds(100));
  open = true;
  for (std::thread& caller : callers) caller.join();
  // The one that was running, and one for the ten; a caller that came late may have needed one more.
  EXPECT_GE(runs, 2);
  EXPECT_LE(runs, 3);
}

TEST(SharedSyncTest, a_run_that_began_before_the_call_does_not_count_for_it) {
  std::atomic<int> begun = 0;
  std::atomic<int> allowed = 0;
  SharedSync sync([&]() -> Status {
    int mine = ++begun;
    while (allowed < mine) std::this_thread::yield();
    return {};
  });
  std::thread first([&] { (void)sync.run(); });
  while (begun == 0) std::this_thread::yield();
  std::atomic<bool> second_done = false;
  std::thread second([&] {
    (void)sync.run();
    second_done = true;
  });
  allowed = 1;
  first.join();
  while (begun < 2) std::this_thread::yield();
  EXPECT_FALSE(second_done);
  allowed = 2;
  second.join();
}

TEST(SharedSyncTest, a_failure_reaches_its_callers_and_not_later_ones) {
  bool fail = true;
  SharedSync sync([&]() -> Status {
    if (fail) return error(Code::kIo, "the disk is gone");
    return {};
  });
  EXPECT_EQ(sync.run().error().what, "the disk is gone");
  fail = false;
  EXPECT_TRUE(sync.run());
}

}  // namespace
}  // namespace weir::cache
