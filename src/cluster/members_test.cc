#include "cluster/members.h"

#include <gtest/gtest.h>

#include "base/limits.h"
#include "kv/memory/memory_engine.h"
#include "meta/keys.h"
#include "testing/fake_clock.h"

namespace weir::cluster {
namespace {

constexpr NodeId kSelf{1};
constexpr NodeId kOther{2};

class MembersTest : public ::testing::Test {
 protected:
  void SetUp() override {
    members_.on_death([this](const Member& member) { deaths_.push_back(member); });
    write_info(kSelf, {.epoch = 1, .active = true, .host = "self"});
    write_info(kOther, {.epoch = 7, .active = true, .host = "other"});
    renew(kOther);
  }
  void write_info(NodeId node, const NodeInfo& info) {
    auto transaction = engine_.begin();
    transaction->put(meta::keys::node(node), info.encode());
    ASSERT_TRUE(transaction->commit());
  }
  NodeInfo info_of(NodeId node) {
    auto row = engine_.begin()->get(meta::keys::node(node)).value();
    return NodeInfo::decode(row.value().bytes).value();
  }
  void renew(NodeId node) {
    auto transaction = engine_.begin();
    transaction->put(meta::keys::lease(node), LeaseRow{7, ++renewals_}.encode());
    ASSERT_TRUE(transaction->commit());
  }
  /// Looks as often as the thread would.
  void look_for(int64_t duration_ms) {
    for (int64_t ms = 0; ms <= duration_ms; ms += limits::kMembersLookMs) {
      ASSERT_TRUE(members_.look());
      clock_.advance_ms(limits::kMembersLookMs);
    }
  }

  kv::MemoryEngine engine_;
  testing::FakeClock clock_;
  Members members_{engine_, kSelf, clock_};
  std::vector<Member> deaths_;
  uint64_t renewals_ = 0;
};

TEST_F(MembersTest, ANodeThatShowsNoLifeForTheWholeLeaseIsFenced) {
  look_for(limits::kLeaseMs - limits::kMembersLookMs);
  EXPECT_TRUE(deaths_.empty());
  EXPECT_TRUE(info_of(kOther).active);
  look_for(2 * limits::kMembersLookMs);
  ASSERT_EQ(deaths_.size(), 1u);
  EXPECT_EQ(deaths_[0].id, kOther);
  EXPECT_EQ(info_of(kOther).epoch, 8u);
  EXPECT_TRUE(info_of(kOther).fenced);
  EXPECT_FALSE(info_of(kOther).active);
  EXPECT_TRUE(members_.is_gone(kOther));
  look_for(2 * limits::kLeaseMs);
  EXPECT_EQ(deaths_.size(), 1u);
}

TEST_F(MembersTest, ANodeThatRenewsLives) {
  for (int i = 0; i < 10; ++i) {
    look_for(limits::kLeaseMs / 2);
    renew(kOther);
  }
  EXPECT_TRUE(deaths_.empty());
  EXPECT_FALSE(members_.is_gone(kOther));
}

TEST_F(MembersTest, AnObserverThatWasStoppedDeclaresNobodyDead) {
  look_for(limits::kLeaseMs / 2);
  clock_.advance_ms(10 * limits::kLeaseMs);
  look_for(limits::kLeaseMs / 2);
  EXPECT_TRUE(deaths_.empty());
}

TEST_F(MembersTest, ThisNodeIsNeverDeadToItself) {
  for (int i = 0; i < 30; ++i) {
    renew(kOther);
    look_for(limits::kMembersLookMs);
  }
  EXPECT_TRUE(info_of(kSelf).active);
  EXPECT_TRUE(members_.find(kSelf)->alive);
}

TEST_F(MembersTest, ADeathThatAnotherNodeFoundIsToldOnce) {
  look_for(0);
  write_info(kOther, {.epoch = 8, .active = false, .fenced = true, .host = "other"});
  look_for(limits::kLeaseMs);
  ASSERT_EQ(deaths_.size(), 1u);
  write_info(kOther, {.epoch = 9, .active = true, .host = "other"});
  look_for(0);
  EXPECT_FALSE(members_.is_gone(kOther));
  write_info(kOther, {.epoch = 10, .active = false, .fenced = true, .host = "other"});
  look_for(0);
  EXPECT_EQ(deaths_.size(), 2u);
}

TEST_F(MembersTest, ANodeThatLeftIsNotDeadButGone) {
  write_info(kOther, {.epoch = 7, .active = false, .host = "other"});
  look_for(limits::kLeaseMs * 2);
  EXPECT_TRUE(deaths_.empty());
  EXPECT_TRUE(members_.is_gone(kOther));
  EXPECT_FALSE(members_.is_gone(NodeId{77}));
}

}  // namespace
}  // namespace weir::cluster
