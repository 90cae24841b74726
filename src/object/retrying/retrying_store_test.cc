#include "object/retrying/retrying_store.h"

#include <gtest/gtest.h>

#include <functional>

#include "base/limits.h"
#include "object/faulty/faulty_store.h"
#include "object/memory/memory_store.h"
#include "testing/fake_clock.h"

namespace weir::object {
namespace {

class RetryingStoreTest : public ::testing::Test {
 protected:
  void fail_next(Operation operation, Fault fault, int times) {
    for (int i = 0; i < times; ++i) faulty_.script(operation, fault);
  }

  testing::FakeClock clock_;
  SeededRandom random_{1};
  MemoryStore memory_{clock_};
  FaultyStore faulty_{memory_, clock_, 1};
  RetryingStore store_{faulty_, clock_, random_};
};

TEST_F(RetryingStoreTest, GetsThroughWhatPasses) {
  fail_next(Operation::kPut, Fault::kUnavailable, limits::kStoreAttempts - 1);
  EXPECT_TRUE(store_.put("a", "bytes"));
  fail_next(Operation::kGet, Fault::kUnavailable, 2);
  EXPECT_EQ(store_.get("a", 0, 10).value(), "bytes");
  fail_next(Operation::kHead, Fault::kUnavailable, 2);
  EXPECT_TRUE(store_.head("a").value().has_value());
  fail_next(Operation::kList, Fault::kUnavailable, 2);
  EXPECT_EQ(store_.list("", "", 10).value().objects.size(), 1u);
  fail_next(Operation::kRemove, Fault::kLostReply, 2);
  EXPECT_TRUE(store_.remove("a"));
}

TEST_F(RetryingStoreTest, GivesUpAfterItsAttempts) {
  faulty_.set_down(true);
  Status put = store_.put("a", "bytes");
  ASSERT_FALSE(put);
  EXPECT_EQ(put.error().code, Code::kUnavailable);
  EXPECT_EQ(faulty_.count(Operation::kPut), static_cast<uint64_t>(limits::kStoreAttempts));
}

TEST_F(RetryingStoreTest, WaitsLongerEachTimeWithinBounds) {
  faulty_.set_down(true);
  ASSERT_FALSE(store_.remove("a"));
  int64_t whole_ms = 0;
  int64_t delay_ms = limits::kStoreRetryDelayMs;
  for (int i = 1; i < limits::kStoreAttempts; ++i, delay_ms *= 2) {
    whole_ms += std::min(delay_ms, limits::kStoreRetryDelayMaxMs);
  }
  int64_t waited_ms = clock_.monotonic_ns() / 1'000'000;
  EXPECT_GT(waited_ms, 0);
  EXPECT_LE(waited_ms, whole_ms);
}

TEST_F(RetryingStoreTest, AStoreThatWantsFewerRequestsIsAskedMoreSlowlyForAMinute) {
  fail_next(Operation::kPut, Fault::kThrottled, limits::kStoreAttempts + 2);
  EXPECT_TRUE(store_.put("a", "bytes"));
  EXPECT_GT(store_.rates().writes, 0);
  EXPECT_EQ(store_.rates().reads, 0);
  faulty_.set_chance(Operation::kPut, Fault::kThrottled, 1000);
  const int64_t begun_ns = clock_.monotonic_ns();
  Status put = store_.put("a", "bytes");
  ASSERT_FALSE(put);
  EXPECT_EQ(put.error().code, Code::kUnavailable);
  EXPECT_GE(clock_.monotonic_ns() - begun_ns, limits::kStoreThrottledMs * 1'000'000);
}

/// Stands still, but calls stop() after some sleeps.
class StoppingClock : public testing::FakeClock {
 public:
  void sleep_ms(int64_t duration_ms) override {
    testing::FakeClock::sleep_ms(duration_ms);
    if (--sleeps_ == 0) stop();
  }
  std::function<void()> stop;

 private:
  int sleeps_ = 3;
};

TEST_F(RetryingStoreTest, AnUnmountDoesNotWaitAMinuteForAStoreThatRefusesEverything) {
  StoppingClock clock;
  RetryingStore store(faulty_, clock, random_);
  clock.stop = [&] { store.stop(); };
  faulty_.set_chance(Operation::kPut, Fault::kThrottled, 1000);
  EXPECT_EQ(store.put("a", "bytes").error().code, Code::kUnavailable);
  EXPECT_LE(clock.monotonic_ns(), (limits::kStoreLastWaitsMs + 1000) * 1'000'000);
  EXPECT_EQ(store.put("b", "bytes").error().code, Code::kUnavailable);
}

TEST_F(RetryingStoreTest, AnUnmountDoesNotWaitAMinuteForAStoreThatIsAway) {
  StoppingClock clock;
  RetryingStore store(faulty_, clock, random_);
  clock.stop = [&] { store.stop(); };
  faulty_.set_down(true);
  EXPECT_EQ(store.put("a", "bytes").error().code, Code::kUnavailable);
  EXPECT_LE(clock.monotonic_ns(), (limits::kStoreLastWaitsMs + 1000) * 1'000'000);
  faulty_.set_down(false);
  EXPECT_TRUE(store.put("a", "bytes"));
}

TEST_F(RetryingStoreTest, ReadsThatNobodyWaitsForAnyMoreAreNotTriedAgain) {
  store_.set_read_patience_ms(5'000);
  faulty_.set_delay_ms(4'000);
  faulty_.set_chance(Operation::kGet, Fault::kThrottled, 1000);
  ASSERT_FALSE(store_.get("a", 0, 1));
  EXPECT_GE(clock_.monotonic_ns(), 5'000'000'000);
  EXPECT_LT(clock_.monotonic_ns(), 10'000'000'000);
}

TEST_F(RetryingStoreTest, SaysHowTheStoreAnswersWhileItTriesAgain) {
  EXPECT_EQ(store_.health().failing_ms, 0);
  fail_next(Operation::kPut, Fault::kThrottled, 2);
  ASSERT_TRUE(store_.put("a", "bytes"));
  EXPECT_EQ(store_.health().refused, 2u);
  EXPECT_EQ(store_.health().failing_ms, 0) << "a refusal is an answer";
  faulty_.set_down(true);
  ASSERT_FALSE(store_.put("b", "bytes"));
  clock_.advance_ms(5000);
  const RetryingStore::Health down = store_.health();
  EXPECT_EQ(down.failed, static_cast<uint64_t>(limits::kStoreAttempts));
  EXPECT_GE(down.failing_ms, 5000);
  EXPECT_NE(down.last_failure, "");
  faulty_.set_down(false);
  ASSERT_TRUE(store_.put("b", "bytes"));
  EXPECT_EQ(store_.health().failing_ms, 0);
  EXPECT_EQ(store_.health().last_failure, down.last_failure);
}

TEST_F(RetryingStoreTest, APutWhoseReplyWasLostIsNotSentAgain) {
  fail_next(Operation::kPut, Fault::kLostReply, 1);
  EXPECT_TRUE(store_.put("a", "bytes"));
  EXPECT_EQ(faulty_.count(Operation::kPut), 1u);
  EXPECT_EQ(faulty_.count(Operation::kHead), 1u);
  // Something else under that name is no success.
  fail_next(Operation::kPut, Fault::kUnavailable, 1);
  EXPECT_TRUE(store_.put("a", "other"));
  EXPECT_EQ(memory_.get("a", 0, 10).value(), "other");
}

TEST_F(RetryingStoreTest, DoesNotRepeatWhatCannotHelp) {
  fail_next(Operation::kPut, Fault::kNoSpace, 1);
  EXPECT_EQ(store_.put("a", "x").error().code, Code::kNoSpace);
  EXPECT_EQ(store_.get("absent", 0, 1).error().code, Code::kNotFound);
  EXPECT_EQ(faulty_.count(Operation::kPut), 1u);
  EXPECT_EQ(faulty_.count(Operation::kGet), 1u);
  EXPECT_EQ(clock_.monotonic_ns(), 0);
}

}  // namespace
}  // namespace weir::object
