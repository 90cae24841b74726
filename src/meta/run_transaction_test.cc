#include "meta/run_transaction.h"

#include <atomic>
#include <set>
#include <thread>

#include "base/patience.h"
#include "meta/keys.h"
#include "meta/rows.h"
#include "meta/slot_pool.h"
#include "meta/volume_testing.h"

namespace weir::meta {
namespace {

using kv::Fault;

/// Memory with scripted faults only.
class FaultTest : public ::testing::Test {
 protected:
  FaultTest() { faulty().set_rates({}); }
  Volume& volume() { return test_.volume(); }
  kv::FaultyEngine& faulty() { return *test_.faulty(); }

  /// Adds one to a counter under key "x".
  Result<std::optional<Bytes>> add_one(RequestId request = {}) {
    return run_transaction(volume(), request, [&](Attempt& attempt) -> Status {
      ++attempts_;
      ASSIGN_OR_RETURN(auto value, attempt.transaction.get("x"));
      attempt.transaction.put("x", std::to_string(value ? std::stoi(value->bytes) + 1 : 1));
      attempt.reply = "reply";
      return {};
    });
  }
  std::string counter() {
    auto value = value_of(test_.engine().begin()->get("x"));
    return value ? value->bytes : "0";
  }

  TestVolume test_{EngineKind::kFaulty};
  int attempts_ = 0;
};

TEST_F(FaultTest, AConflictIsTriedAgain) {
  faulty().script({Fault::kConflict, Fault::kConflict, Fault::kNone});
  EXPECT_FALSE(value_of(add_one()));
  EXPECT_EQ(attempts_, 3);
  EXPECT_EQ(counter(), "1");
}

/// What another node does to the rows is not known to this one's engine.
class RecallTest : public FaultTest {
 protected:
  RecallTest() { EXPECT_EQ(count_up(), "1"); }
  /// As add_one(), and says "none" where there is no counter. The counter, or the error.
  std::string count_up() {
    auto done = run_transaction(volume(), {}, [&](Attempt& attempt) -> Status {
      ++attempts_;
      kv::ReadBatch batch;
      batch.keys = {"x"};
      ASSIGN_OR_RETURN(const kv::ReadAnswer found, attempt.read(batch));
      recalled_ += attempt.has_recalled ? 1 : 0;
      if (found.values[0] && found.values[0]->bytes == "full") return error(Code::kNoSpace, "full");
      attempt.transaction.put("x", std::to_string(found.values[0] ? std::stoi(found.values[0]->bytes) + 1 : 1));
      return {};
    });
    return done ? counter() : std::string(code_name(done.error().code));
  }
  void other_node_puts(const std::string& value) {
    auto transaction = faulty().inner().begin();
    transaction->put("x", value);
    value_of(transaction->commit());
  }

  int recalled_ = 0;
};

TEST_F(RecallTest, what_this_node_wrote_need_not_be_read) {
  EXPECT_EQ(count_up(), "2");
  EXPECT_EQ(count_up(), "3");
  EXPECT_EQ(recalled_, 2);
  EXPECT_EQ(attempts_, 3);
}

TEST_F(RecallTest, a_change_of_another_node_is_not_lost) {
  other_node_puts("10");
  EXPECT_EQ(count_up(), "11");
  EXPECT_EQ(recalled_, 1);
  EXPECT_EQ(attempts_, 3);
}

TEST_F(RecallTest, an_error_is_that_of_rows_read_now) {
  other_node_puts("full");
  EXPECT_EQ(count_up(), "no_space");
  other_node_puts("20");
  EXPECT_EQ(count_up(), "21");
  other_node_puts("full");
  EXPECT_EQ(count_up(), "no_space");
}

TEST_F(FaultTest, ALostReplyIsFoundToBeDone) {
  faulty().script({Fault::kLostReply});
  EXPECT_FALSE(value_of(add_one()));
  EXPECT_EQ(attempts_, 1);
  EXPECT_EQ(counter(), "1");
}

TEST_F(FaultTest, ALostRequestIsDoneAgain) {
  faulty().script({Fault::kLostRequest});
  EXPECT_FALSE(value_of(add_one()));
  EXPECT_EQ(attempts_, 2);
  EXPECT_EQ(counter(), "1");
}

TEST_F(FaultTest, FindingOutMayLoseItsReplyToo) {
  // Lost request; then the abort's reply is lost, or its request, or it conflicts: each is found out about.
  faulty().script({Fault::kLostRequest, Fault::kLostReply, Fault::kLostRequest, Fault::kLostRequest, Fault::kConflict,
                   Fault::kNone, Fault::kLostReply});
  EXPECT_FALSE(value_of(add_one()));
  EXPECT_EQ(counter(), "1");
  EXPECT_FALSE(value_of(add_one()));
  EXPECT_EQ(counter(), "2");
}

TEST_F(FaultTest, NothingIsDoneTwiceUnderRandomFaults) {
  faulty().set_rates({.conflict = 200, .lost_reply = 200, .lost_request = 200});
  for (int i = 0; i < 500; ++i) value_of(add_one());
  faulty().set_rates({});
  EXPECT_EQ(counter(), "500");
  EXPECT_GT(faulty().injected(Fault::kLostReply), 50u);
  EXPECT_GT(faulty().injected(Fault::kLostRequest), 50u);
}

TEST_F(FaultTest, AnErrorOfTheBodyChangesNothing) {
  auto done = run_transaction(volume(), {}, [&](Attempt& attempt) -> Status {
    attempt.transaction.put("x", "1");
    return error(Code::kExists, "no");
  });
  EXPECT_EQ(outcome(done), "exists");
  EXPECT_EQ(counter(), "0");
}

TEST_F(FaultTest, EndlessConflictsEndWithAnError) {
  faulty().set_rates({.conflict = 1000});
  EXPECT_EQ(outcome(add_one()), "unavailable");
  EXPECT_EQ(attempts_, limits::kTransactionAttempts);
  faulty().set_rates({});
  EXPECT_EQ(outcome(add_one()), "ok");
}

Status wait_for_nobody() { return error(Code::kOutOfReach, "this thread waits for nobody"); }

TEST_F(FaultTest, WhatAThreadThatDoesNotWaitLeftUnknownIsDoneOnceByTheOneThatDoesItAgain) {
  for (const Fault fault : {Fault::kAwayAfterCommit, Fault::kAwayBeforeCommit}) {
    const std::string before = counter();
    const RequestId request{fault == Fault::kAwayAfterCommit ? 101u : 102u};
    attempts_ = 0;
    faulty().script({fault});
    {
      const Patience none(wait_for_nobody);
      EXPECT_EQ(outcome(add_one(request)), "out_of_reach");
      EXPECT_EQ(outcome(add_one(request)), "out_of_reach");
    }
    EXPECT_EQ(attempts_, 1);
    faulty().come_back();
    const auto reply = value_of(add_one(request));
    // Who finds it done has not done it, so the reply is the one that was written with it.
    EXPECT_EQ(reply.has_value(), fault == Fault::kAwayAfterCommit);
    EXPECT_EQ(attempts_, fault == Fault::kAwayAfterCommit ? 1 : 2);
    EXPECT_EQ(std::stoi(counter()), std::stoi(before) + 1);
  }
}

/// A rename() that was done, and whose answer an outage took, looked for its old name again and failed with ENOENT.
TEST_F(FaultTest, ARequestWhoseOutcomeAnOutageTookMayBeDoneUntilItIsDoneAgain) {
  for (const Fault fault : {Fault::kAwayAfterCommit, Fault::kAwayBeforeCommit}) {
    const RequestId request{fault == Fault::kAwayAfterCommit ? 101u : 102u};
    EXPECT_FALSE(volume().slots().may_be_done(request.value));
    faulty().script({fault});
    {
      const Patience none(wait_for_nobody);
      EXPECT_EQ(outcome(add_one(request)), "out_of_reach");
    }
    EXPECT_TRUE(volume().slots().may_be_done(request.value));
    EXPECT_FALSE(volume().slots().may_be_done(1000));
    faulty().come_back();
    EXPECT_EQ(outcome(add_one(request)), "ok");
    EXPECT_FALSE(volume().slots().may_be_done(request.value));
  }
}

TEST_F(FaultTest, ACallerWhoGivesUpInAnOutageCostsNoSlot) {
  volume().slots().hold_outcomes({});
  for (uint64_t number = 0; number < 3 * limits::kSlots; ++number) {
    faulty().script({Fault::kAwayBeforeCommit});
    {
      const Patience none(wait_for_nobody);
      EXPECT_EQ(outcome(add_one(RequestId{1000 + number})), "out_of_reach");
    }
    volume().slots().answered(1000 + number);
    faulty().come_back();
  }
  EXPECT_EQ(outcome(add_one()), "ok");
  EXPECT_EQ(counter(), "1");
}

TEST_F(FaultTest, ASignalDoesNotLeaveAnOutcomeUnknown) {
  int asked = 0;
  faulty().script({Fault::kAwayAfterCommit});
  const Patience patience([&]() -> Status {
    if (++asked == 3) faulty().come_back();
    return error(Code::kInterrupted, "a signal came");
  });
  EXPECT_EQ(outcome(add_one(RequestId{7})), "ok");
  EXPECT_EQ(counter(), "1");
}

TEST_F(FaultTest, ARequestOfAnEarlierLifeIsNotDoneAgain) {
  value_of(add_one(RequestId{77}));
  test_.reopen();
  auto earlier = value_of(add_one(RequestId{77}));
  ASSERT_TRUE(earlier);
  EXPECT_EQ(*earlier, "reply");
  EXPECT_EQ(counter(), "1");
  value_of(add_one(RequestId{78}));
  EXPECT_EQ(counter(), "2");
}

TEST_F(FaultTest, ARequestThatCrashedAfterCommitIsDone) {
  faulty().script({Fault::kCrashAfterCommit});
  EXPECT_EQ(outcome(add_one(RequestId{5})), "unavailable");
  faulty().reopen();
  test_.reopen();
  EXPECT_TRUE(value_of(add_one(RequestId{5})));
  EXPECT_EQ(counter(), "1");
}

TEST_F(FaultTest, ARequestThatCrashedBeforeCommitIsDoneNow) {
  faulty().script({Fault::kCrashBeforeCommit});
  EXPECT_EQ(outcome(add_one(RequestId{5})), "unavailable");
  faulty().reopen();
  test_.reopen();
  EXPECT_FALSE(value_of(add_one(RequestId{5})));
  EXPECT_EQ(counter(), "1");
}

TEST_F(FaultTest, OutcomesOfAnEarlierLifeOutliveManyOtherRequests) {
  value_of(add_one(RequestId{77}));
  test_.reopen();
  for (uint64_t i = 0; i < 200; ++i) value_of(add_one(RequestId{1000 + i}));
  EXPECT_TRUE(value_of(add_one(RequestId{77})));
  test_.reopen();
  EXPECT_TRUE(value_of(add_one(RequestId{77})));
  EXPECT_EQ(counter(), "201");
}

TEST_F(FaultTest, ALateTransactionOfAnEarlierLifeCannotCommit) {
  // The earlier life's transaction has read everything and is about to commit when the node comes up again.
  auto late = test_.engine().begin();
  const Bytes slot_key = keys::slot(NodeId{1}, 0);
  auto slot = value_of(late->get(slot_key));
  late->put(slot_key, SlotRow{5, false, "late"}.encode());
  late->put("x", "100");
  test_.reopen();
  EXPECT_EQ(outcome(late->commit()), "conflict");
  value_of(add_one(RequestId{5}));
  EXPECT_EQ(counter(), "1");
}

TEST_F(FaultTest, AnUpgradedVolumeIsNotWrittenAnyMore) {
  auto upgrade = test_.engine().begin();
  VolumeSettings settings = volume().settings();
  settings.oldest_writer = kVolumeFormat + 1;
  upgrade->put(keys::settings(), settings.encode());
  value_of(upgrade->commit());
  EXPECT_EQ(outcome(add_one()), "unsupported");
  EXPECT_EQ(counter(), "0");
}

TEST_F(FaultTest, ASettingsChangeThatDoesNotMatterIsAccepted) {
  auto change = test_.engine().begin();
  VolumeSettings settings = volume().settings();
  settings.name = "other";
  change->put(keys::settings(), settings.encode());
  value_of(change->commit());
  EXPECT_EQ(outcome(add_one()), "ok");
  EXPECT_EQ(counter(), "1");
}

class ThreadsTest : public VolumeTest {};
INSTANTIATE_TEST_SUITE_P(Engines, ThreadsTest, all_engines(), engine_of);

TEST_P(ThreadsTest, ManyThreadsWorkInOneDirectory) {
  constexpr int kThreads = 8, kFiles = 25;
  std::atomic<int> failures = 0, shared_made = 0;
  std::vector<std::thread> threads;
  for (int thread = 0; thread < kThreads; ++thread)
    threads.emplace_back([&, thread] {
      for (int i = 0; i < kFiles; ++i) {
        const std::string name = fmt::format("{}-{}", thread, i);
        if (!make(volume(), {}, kRootInode, name, {})) ++failures;
        if (make(volume(), {}, kRootInode, fmt::format("shared-{}", i), {})) ++shared_made;
        if (i % 5 == 0 && !unlink(volume(), {}, kRootInode, name, nothing_open)) ++failures;
      }
    });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(failures, 0);
  EXPECT_EQ(shared_made, kFiles);
  EXPECT_EQ(names().size(), static_cast<size_t>(kThreads * (kFiles - kFiles / 5) + kFiles));
  EXPECT_EQ(inode(kRootInode).size, names().size());
}

TEST_P(ThreadsTest, MoreThreadsThanSlotsWait) {
  std::vector<std::thread> threads;
  std::atomic<int> done = 0;
  for (uint32_t i = 0; i < limits::kSlots + 8; ++i)
    threads.emplace_back([&, i] {
      if (make(volume(), {}, kRootInode, fmt::format("f{}", i), {})) ++done;
    });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(done, static_cast<int>(limits::kSlots + 8));
}

TEST_P(ThreadsTest, NumbersAreNeverHandedOutTwice) {
  std::set<uint64_t> seen;
  for (int life = 0; life < 3; ++life) {
    for (int i = 0; i < 10; ++i) {
      EXPECT_TRUE(seen.insert(value_of(volume().new_inode_id()).value).second);
    }
    test_.reopen();
  }
}

TEST(Volume, IsFormattedOnce) {
  TestVolume test(EngineKind::kMemory);
  VolumeSettings settings;
  settings.volume_id = "other";
  EXPECT_EQ(outcome(Volume::format(test.engine(), settings, 0, 0, test.clock())), "exists");
}

TEST(Volume, SaysThatADatabaseHoldsNone) {
  auto engine = open_or_abort("memory:", true);
  testing::FakeClock clock;
  SystemRandom random;
  auto volume = Volume::open(*engine, NodeId{1}, clock, random);
  EXPECT_EQ(outcome(volume), "not_found");
}

TEST(Volume, RefusesANewerFormat) {
  auto engine = open_or_abort("memory:", true);
  testing::FakeClock clock;
  SystemRandom random;
  VolumeSettings settings;
  settings.oldest_reader = kVolumeFormat + 1;
  succeed(Volume::format(*engine, settings, 0, 0, clock));
  auto volume = Volume::open(*engine, NodeId{1}, clock, random);
  ASSERT_EQ(outcome(volume), "unsupported");
  EXPECT_NE(volume.error().what.find("format 2"), std::string::npos) << volume.error().what;
}

}  // namespace
}  // namespace weir::meta
