#include "base/thread_pool.h"

#include <gtest/gtest.h>
#include <pthread.h>

#include <atomic>
#include <set>

namespace weir {
namespace {

/// Holds jobs back until opened.
class Gate {
 public:
  void open() {
    MutexLock lock(mutex_);
    open_ = true;
    opened_.notify_all();
  }
  void pass() {
    MutexLock lock(mutex_);
    ++waiting_;
    arrived_.notify_all();
    while (!open_) opened_.wait(mutex_);
  }
  void await_waiting(int count) {
    MutexLock lock(mutex_);
    while (waiting_ < count) arrived_.wait(mutex_);
  }

 private:
  Mutex mutex_;
  ConditionVariable opened_;
  ConditionVariable arrived_;
  bool open_ GUARDED_BY(mutex_) = false;
  int waiting_ GUARDED_BY(mutex_) = 0;
};

TEST(ThreadPool, RunsEveryJobBeforeDrainReturns) {
  ThreadPool pool("test", 3, 1000);
  std::atomic<int> done = 0;
  for (int i = 0; i < 500; ++i) pool.submit([&] { ++done; });
  pool.drain();
  EXPECT_EQ(done, 500);
  EXPECT_EQ(pool.pending(), 0u);
}

TEST(ThreadPool, OneThreadKeepsTheOrder) {
  std::vector<int> order;
  {
    ThreadPool pool("test", 1, 10);
    for (int i = 0; i < 100; ++i) pool.submit([&order, i] { order.push_back(i); });
  }
  ASSERT_EQ(order.size(), 100u) << "the destructor runs what is queued";
  for (int i = 0; i < 100; ++i) EXPECT_EQ(order[static_cast<size_t>(i)], i);
}

TEST(ThreadPool, RunsJobsAtTheSameTime) {
  ThreadPool pool("test", 4, 10);
  Gate gate;
  for (int i = 0; i < 4; ++i) pool.submit([&] { gate.pass(); });
  gate.await_waiting(4);
  EXPECT_EQ(pool.pending(), 4u);
  gate.open();
  pool.drain();
}

TEST(ThreadPool, RefusesWhenTheQueueIsFull) {
  Gate gate;
  ThreadPool pool("test", 1, 2);
  pool.submit([&] { gate.pass(); });
  gate.await_waiting(1);
  std::atomic<int> done = 0;
  EXPECT_TRUE(pool.try_submit([&] { ++done; }));
  EXPECT_TRUE(pool.try_submit([&] { ++done; }));
  EXPECT_FALSE(pool.try_submit([&] { ++done; }));
  EXPECT_EQ(pool.pending(), 3u);
  gate.open();
  pool.drain();
  EXPECT_EQ(done, 2);
}

TEST(ThreadPool, SubmitWaitsForRoom) {
  Gate gate;
  ThreadPool pool("test", 1, 1);
  std::atomic<int> done = 0;
  std::atomic<bool> submitted = false;
  pool.submit([&] { gate.pass(); });
  gate.await_waiting(1);
  pool.submit([&] { ++done; });
  std::thread waiter([&] {
    pool.submit([&] { ++done; });
    submitted = true;
  });
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  EXPECT_FALSE(submitted);
  gate.open();
  waiter.join();
  pool.drain();
  EXPECT_EQ(done, 2);
}

TEST(ThreadPool, NamesItsThreads) {
  std::string name(16, '\0');
  ThreadPool pool("weir-pool", 1, 1);
  pool.submit([&] { pthread_getname_np(pthread_self(), name.data(), name.size()); });
  pool.drain();
  EXPECT_STREQ(name.c_str(), "weir-pool");
}

}  // namespace
}  // namespace weir
