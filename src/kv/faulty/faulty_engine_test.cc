#include "kv/faulty/faulty_engine.h"

#include <gtest/gtest.h>

#include "kv/conformance.h"
#include "kv/memory/memory_engine.h"

namespace weir::kv {
namespace {

class Faulty : public ::testing::Test {
 protected:
  std::string put(std::string_view key, std::string_view bytes) {
    auto transaction = engine_.begin();
    transaction->put(key, bytes);
    return outcome(transaction->commit());
  }
  std::string text(std::string_view key) {
    auto value = engine_.begin()->get(key);
    if (!value) return outcome(value);
    return *value ? (*value)->bytes : "(absent)";
  }

  FaultyEngine engine_{std::make_unique<MemoryEngine>(), 7};
};

TEST_F(Faulty, scripted_faults_meet_the_next_commits_in_order) {
  engine_.script({Fault::kConflict, Fault::kNone, Fault::kLostReply, Fault::kLostRequest, Fault::kUnavailable});
  EXPECT_EQ(put("a", "1"), "conflict");
  EXPECT_EQ(text("a"), "(absent)");
  EXPECT_EQ(put("a", "2"), "ok");
  EXPECT_EQ(put("a", "3"), "maybe_committed");
  EXPECT_EQ(text("a"), "3");
  EXPECT_EQ(put("a", "4"), "maybe_committed");
  EXPECT_EQ(text("a"), "3");
  EXPECT_EQ(put("a", "5"), "unavailable");
  EXPECT_EQ(text("a"), "3");
  EXPECT_EQ(put("a", "6"), "ok");
  EXPECT_EQ(engine_.injected(Fault::kLostReply), 1u);
  EXPECT_EQ(engine_.injected(Fault::kNone), 2u);
}

TEST_F(Faulty, a_lost_reply_of_a_commit_that_conflicts_commits_nothing) {
  ASSERT_EQ(put("a", "1"), "ok");
  auto transaction = engine_.begin();
  ASSERT_TRUE(*transaction->get("a"));
  ASSERT_EQ(put("a", "2"), "ok");
  transaction->put("a", "3");
  engine_.script({Fault::kLostReply});
  EXPECT_EQ(outcome(transaction->commit()), "maybe_committed");
  EXPECT_EQ(text("a"), "2");
}

TEST_F(Faulty, commits_without_writes_meet_no_faults) {
  engine_.script({Fault::kConflict});
  EXPECT_EQ(outcome(engine_.begin()->commit()), "ok");
  EXPECT_EQ(put("a", "1"), "conflict");
}

TEST_F(Faulty, a_crash_before_or_after_the_commit_ends_everything_begun_until_reopened) {
  for (const Fault fault : {Fault::kCrashBeforeCommit, Fault::kCrashAfterCommit}) {
    auto earlier = engine_.begin();
    earlier->put("b", "of a dead process");
    engine_.script({fault});
    EXPECT_EQ(put("a", "new"), "unavailable");
    EXPECT_EQ(text("a"), "unavailable");
    EXPECT_EQ(outcome(engine_.barrier()), "unavailable");
    engine_.reopen();
    EXPECT_EQ(text("a"), fault == Fault::kCrashAfterCommit ? "new" : "(absent)");
    EXPECT_EQ(outcome(earlier->commit()), "unavailable");
    EXPECT_EQ(text("b"), "(absent)");
  }
}

TEST_F(Faulty, a_fault_releases_the_fences_of_its_transaction) {
  auto fencing = engine_.begin();
  ASSERT_TRUE(fencing->fence("guard"));
  fencing->put("a", "1");
  engine_.script({Fault::kConflict});
  EXPECT_EQ(outcome(fencing->commit()), "conflict");
  auto next = engine_.begin();
  EXPECT_TRUE(next->fence("guard"));
}

TEST(FaultyRates, a_seed_gives_the_same_faults_at_about_the_rates_asked) {
  auto outcomes = [](uint64_t seed) {
    FaultyEngine engine(std::make_unique<MemoryEngine>(), seed,
                        {.conflict = 100, .unavailable = 50, .lost_reply = 100, .lost_request = 50});
    std::vector<std::string> all;
    for (int i = 0; i < 2000; ++i) {
      auto transaction = engine.begin();
      transaction->put("key", "value");
      all.push_back(outcome(transaction->commit()));
    }
    EXPECT_NEAR(static_cast<double>(engine.injected(Fault::kConflict)), 200, 60);
    EXPECT_NEAR(static_cast<double>(engine.injected(Fault::kUnavailable)), 100, 40);
    EXPECT_NEAR(static_cast<double>(engine.injected(Fault::kLostReply)), 200, 60);
    EXPECT_NEAR(static_cast<double>(engine.injected(Fault::kLostRequest)), 100, 40);
    return all;
  };
  const std::vector<std::string> first = outcomes(1);
  EXPECT_EQ(first, outcomes(1));
  EXPECT_NE(first, outcomes(2));
}

}  // namespace
}  // namespace weir::kv
