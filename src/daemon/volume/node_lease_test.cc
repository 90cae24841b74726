#include "daemon/volume/node_lease.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <thread>

#include "base/limits.h"
#include "daemon/volume/process_identity.h"
#include "kv/memory/memory_engine.h"
#include "meta/keys.h"
#include "meta/names.h"
#include "meta/run_transaction.h"
#include "testing/fake_clock.h"

namespace weir {
namespace {

constexpr NodeId kNode{1};

/// The memory engine, passed off as one that other machines use too.
class SharedEngine : public kv::Engine {
 public:
  std::unique_ptr<kv::Transaction> begin() override { return memory_.begin(); }
  Status barrier() override { return memory_.barrier(); }
  kv::Capabilities capabilities() const override { return {.shared = true}; }
  std::string name() const override { return "shared"; }

 private:
  kv::MemoryEngine memory_;
};

class Lease : public ::testing::Test {
 protected:
  Result<std::unique_ptr<NodeLease>> take(const std::string& mount_point = "/data") {
    return NodeLease::take(engine_, {kNode, mount_point}, clock_, random_);
  }
  /// As a process elsewhere would have left the rows.
  void pretend_holder(ProcessIdentity process, uint64_t renewals = 0) {
    NodeInfo info{.epoch = 41,
                  .active = true,
                  .host = "other",
                  .mount_point = "/mnt/x",
                  .cache_directory = "/c",
                  .process = std::move(process)};
    auto transaction = engine_.begin();
    transaction->put(meta::keys::node(kNode), info.encode());
    transaction->put(meta::keys::lease(kNode), LeaseRow{41, renewals}.encode());
    ASSERT_TRUE(transaction->commit());
  }
  void renew_holder() {
    auto transaction = engine_.begin();
    transaction->put(meta::keys::lease(kNode), LeaseRow{41, 2}.encode());
    ASSERT_TRUE(transaction->commit());
  }

  SharedEngine engine_;
  testing::FakeClock clock_;
  SeededRandom random_{7};
};

/// Does something the first time anybody sleeps.
class WakingClock : public testing::FakeClock {
 public:
  explicit WakingClock(std::function<void()> action) : action_(std::move(action)) {}
  void sleep_ms(int64_t duration_ms) override {
    FakeClock::sleep_ms(duration_ms);
    if (action_) std::exchange(action_, nullptr)();
  }

 private:
  std::function<void()> action_;
};

TEST_F(Lease, ANodeThatLeftProperlyIsTakenAtOnce) {
  take().value().reset();
  int64_t before_ns = clock_.monotonic_ns();
  auto lease = take();
  ASSERT_TRUE(lease);
  EXPECT_EQ((*lease)->info().epoch, 2u);
  EXPECT_EQ(clock_.monotonic_ns(), before_ns);
}

TEST_F(Lease, ALivingHolderIsNamed) {
  pretend_holder({"another boot", 1, 4711, 5});
  WakingClock clock([&] { renew_holder(); });
  auto lease = NodeLease::take(engine_, {kNode, "/data"}, clock, random_);
  ASSERT_FALSE(lease);
  EXPECT_EQ(lease.error().code, Code::kBusy);
  for (const char* part : {"4711", "other", "/mnt/x"})
    EXPECT_NE(lease.error().what.find(part), std::string::npos) << part;
}

TEST_F(Lease, AHolderThatShowsNoLifeForTheWholeLeaseLosesTheNode) {
  pretend_holder({"another boot", 1, 4711, 5});
  auto lease = take();
  ASSERT_TRUE(lease) << lease.error().what;
  EXPECT_EQ((*lease)->info().epoch, 42u);
  EXPECT_GE(clock_.monotonic_ns(), limits::kLeaseMs * 1'000'000);
}

TEST_F(Lease, AHolderThatDiedOnThisMachineIsReplacedAtOnce) {
  pid_t child = ::fork();
  if (child == 0) ::_exit(0);
  ASSERT_EQ(::waitpid(child, nullptr, 0), child);
  ProcessIdentity dead = this_process();
  dead.pid = child;
  pretend_holder(dead);
  ASSERT_TRUE(take());
  EXPECT_EQ(clock_.monotonic_ns(), 0);
}

TEST_F(Lease, AProcessOfAnotherPidNamespaceIsNotTakenForDead) {
  ProcessIdentity process = this_process();
  process.pid = 1 << 22;  // above every pid
  EXPECT_TRUE(is_surely_dead(process));
  ++process.pid_namespace;
  EXPECT_FALSE(is_surely_dead(process));
  process = this_process();
  EXPECT_FALSE(is_surely_dead(process));
  ++process.started;
  EXPECT_TRUE(is_surely_dead(process));
}

TEST_F(Lease, WhoWasTakenOverNeitherRenewsNorSignsOffForTheOther) {
  auto lease = take().value();
  pretend_holder({"another boot", 1, 4711, 5});
  lease.reset();
  auto info = last_node_info(engine_, kNode);
  ASSERT_TRUE(info && info->has_value());
  EXPECT_TRUE((*info)->active);
  EXPECT_EQ((*info)->host, "other");
}

TEST_F(Lease, TheCacheDirectoryIsRememberedForWhoDoesNotNameOne) {
  EXPECT_TRUE(take().value()->use_cache("/cache"));
  EXPECT_EQ(take("").value()->info().cache_directory, "/cache");
  EXPECT_EQ(last_node_info(engine_, kNode).value()->cache_directory, "/cache");
}

TEST_F(Lease, WhoWasTakenOverDoesNotChangeTheCacheDirectory) {
  auto lease = take().value();
  pretend_holder({"another boot", 1, 4711, 5});
  EXPECT_EQ(lease->use_cache("/cache").error().code, Code::kFenced);
  EXPECT_EQ(last_node_info(engine_, kNode).value()->cache_directory, "/c");
}

/// As another node fences this one (cluster/members.h).
void fence(kv::Engine& engine) {
  NodeInfo info = last_node_info(engine, kNode).value().value();
  ++info.epoch;
  info.active = false;
  info.fenced = true;
  auto transaction = engine.begin();
  transaction->put(meta::keys::node(kNode), info.encode());
  ASSERT_TRUE(transaction->commit());
}

class Fencing : public Lease {
 protected:
  void SetUp() override {
    ASSERT_TRUE(meta::Volume::format(engine_, VolumeSettings(), 0, 0, clock_));
    lease_ = take().value();
    volume_ = meta::Volume::open(engine_, kNode, clock_, random_).value();
    lease_->guard(*volume_, [this] { ++rejoins_; });
  }
  Status make(const std::string& name) {
    auto made = meta::make(*volume_, {}, kRootInode, name, {});
    return made ? Status() : Status(Failure(made.error()));
  }

  std::unique_ptr<NodeLease> lease_;
  std::unique_ptr<meta::Volume> volume_;
  int rejoins_ = 0;
};

TEST_F(Fencing, AFencedNodeCommitsNothingBeforeItIsAMemberAgain) {
  ASSERT_TRUE(make("before"));
  fence(engine_);
  uint64_t epoch_of_change = 0;
  auto done = meta::run_transaction(*volume_, {}, [&](meta::Attempt& attempt) -> Status {
    epoch_of_change = attempt.epoch;
    attempt.transaction.put("x", "y");
    return {};
  });
  ASSERT_TRUE(done) << done.error().what;
  EXPECT_EQ(epoch_of_change, 3u);
  EXPECT_EQ(rejoins_, 1);
  const NodeInfo info = last_node_info(engine_, kNode).value().value();
  EXPECT_TRUE(info.active);
  EXPECT_FALSE(info.fenced);
  EXPECT_EQ(info.epoch, 3u);
  EXPECT_TRUE(make("after"));
}

TEST_F(Fencing, ANodeThatAnotherProcessTookCommitsNothingAnyMore) {
  pretend_holder({"another boot", 1, 4711, 5});
  EXPECT_EQ(make("late").error().code, Code::kFenced);
  EXPECT_EQ(rejoins_, 0);
}

TEST_F(Fencing, WhatTheNodeItselfSaysOfItIsNoFence) {
  ASSERT_TRUE(lease_->use_cache("/cache"));
  ASSERT_TRUE(lease_->use_address("10.0.0.1:7481"));
  EXPECT_TRUE(make("file"));
  EXPECT_EQ(rejoins_, 0);
  EXPECT_EQ(last_node_info(engine_, kNode).value()->address, "10.0.0.1:7481");
}

TEST_F(Lease, ANodeThatOnlyPassedByLeavesNothing) {
  ASSERT_TRUE(NodeLease::take(engine_, {.node = NodeId{9}, .passing = true}, clock_, random_));
  EXPECT_FALSE(last_node_info(engine_, NodeId{9}).value());
  EXPECT_TRUE(all_nodes(engine_).value().empty());
}

TEST_F(Lease, OfTwoAtOnceOneWins) {
  pretend_holder({"another boot", 1, 4711, 5});
  std::atomic<int> won = 0;
  struct Contender {
    testing::FakeClock clock;
    SeededRandom random{1};
    std::unique_ptr<NodeLease> lease;
  };
  std::array<Contender, 2> contenders;
  std::vector<std::thread> threads;
  for (Contender& contender : contenders)
    threads.emplace_back([&] {
      auto taken = NodeLease::take(engine_, {kNode, "/data"}, contender.clock, contender.random);
      if (!taken) return;
      ++won;
      contender.lease = std::move(*taken);
    });
  for (std::thread& thread : threads) thread.join();
  // Both are this process, so the second may find the first alive and be refused, never be let in beside it.
  auto info = last_node_info(engine_, kNode).value().value();
  int owners = 0;
  for (const Contender& contender : contenders)
    if (contender.lease && contender.lease->info().epoch == info.epoch) ++owners;
  EXPECT_EQ(owners, 1);
  EXPECT_GE(won, 1);
}

}  // namespace
}  // namespace weir
