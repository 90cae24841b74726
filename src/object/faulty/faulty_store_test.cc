#include "object/faulty/faulty_store.h"

#include <gtest/gtest.h>

#include "object/memory/memory_store.h"
#include "testing/fake_clock.h"

namespace weir::object {
namespace {

class FaultyStoreTest : public ::testing::Test {
 protected:
  testing::FakeClock clock_;
  MemoryStore memory_{clock_};
  FaultyStore store_{memory_, clock_, 42};
};

TEST_F(FaultyStoreTest, FollowsTheScriptThenBehaves) {
  store_.script(Operation::kPut, Fault::kUnavailable);
  store_.script(Operation::kPut, std::nullopt);
  store_.script(Operation::kPut, Fault::kNoSpace);
  EXPECT_EQ(store_.put("a", "1").error().code, Code::kUnavailable);
  EXPECT_FALSE(memory_.head("a").value().has_value());
  EXPECT_TRUE(store_.put("a", "1"));
  EXPECT_EQ(store_.put("a", "2").error().code, Code::kNoSpace);
  EXPECT_TRUE(store_.put("a", "3"));
  EXPECT_EQ(memory_.get("a", 0, 9).value(), "3");
  EXPECT_EQ(store_.count(Operation::kPut), 4u);
  EXPECT_EQ(store_.faults(), 2u);
}

TEST_F(FaultyStoreTest, LosesTheReplyOfWhatWasDone) {
  store_.script(Operation::kPut, Fault::kLostReply);
  EXPECT_EQ(store_.put("a", "1").error().code, Code::kUnavailable);
  EXPECT_EQ(memory_.get("a", 0, 9).value(), "1");
  store_.script(Operation::kRemove, Fault::kLostReply);
  EXPECT_FALSE(store_.remove("a"));
  EXPECT_FALSE(memory_.head("a").value().has_value());
}

TEST_F(FaultyStoreTest, LiesAboutBytes) {
  std::string bytes(1000, 'x');
  ASSERT_TRUE(memory_.put("a", bytes));
  store_.script(Operation::kGet, Fault::kShort);
  EXPECT_EQ(store_.get("a", 0, 1000).value(), bytes.substr(0, 500));
  store_.script(Operation::kGet, Fault::kFlippedByte);
  std::string flipped = store_.get("a", 0, 1000).value();
  int different = 0;
  for (char c : flipped) different += c != 'x';
  EXPECT_EQ(different, 1);
  EXPECT_EQ(memory_.get("a", 0, 1000).value(), bytes) << "the object itself is not harmed";
}

TEST_F(FaultyStoreTest, IsSlowAndIsDown) {
  store_.set_delay_ms(700);
  store_.script(Operation::kHead, Fault::kSlow);
  EXPECT_TRUE(store_.head("a"));
  EXPECT_EQ(clock_.monotonic_ns(), 700'000'000);
  store_.set_down(true);
  EXPECT_EQ(store_.list("", "", 1).error().code, Code::kUnavailable);
  store_.set_down(false);
  EXPECT_TRUE(store_.list("", "", 1));
}

TEST_F(FaultyStoreTest, RepeatsARunFromItsSeed) {
  auto run = [&](uint64_t seed) {
    FaultyStore store(memory_, clock_, seed);
    store.set_chance(Operation::kPut, Fault::kUnavailable, 300);
    std::string outcomes;
    for (int i = 0; i < 200; ++i) outcomes += store.put("a", "1") ? '.' : 'x';
    return outcomes;
  };
  EXPECT_EQ(run(1), run(1));
  EXPECT_NE(run(1), run(2));
  std::string outcomes = run(3);
  EXPECT_NEAR(static_cast<double>(std::count(outcomes.begin(), outcomes.end(), 'x')), 60, 30);
}

}  // namespace
}  // namespace weir::object
