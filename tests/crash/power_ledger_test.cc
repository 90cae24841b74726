#include "power_ledger.h"

#include <gtest/gtest.h>

namespace weir::testing {
namespace {

using Found = std::map<std::string, PowerLedger::Found>;

PowerLedger::Content bytes(const char* text) { return std::make_shared<Bytes>(text); }

TEST(PowerLedgerTest, a_new_file_that_was_never_synced_may_be_absent_or_empty_but_not_garbage) {
  PowerLedger ledger;
  ledger.publish(ledger.create("a"), bytes("new"), false);
  EXPECT_EQ(ledger.judge(Found{}).complaint, "");
  EXPECT_EQ(ledger.judge({{"a", {InodeId{1}, "new"}}}).complaint, "");
  EXPECT_EQ(ledger.judge({{"a", {InodeId{1}, ""}}}).complaint, "");
  EXPECT_NE(ledger.judge({{"a", {InodeId{1}, "nex"}}}).complaint, "");
  EXPECT_NE(ledger.judge({{"b", {InodeId{1}, "new"}}}).complaint, "");
}

TEST(PowerLedgerTest, what_was_made_safe_must_be_there) {
  PowerLedger ledger;
  ledger.publish(ledger.create("a"), bytes("new"), false);
  ledger.made_all_safe();
  EXPECT_NE(ledger.judge(Found{}).complaint, "");
  EXPECT_NE(ledger.judge({{"a", {InodeId{1}, ""}}}).complaint, "");
  EXPECT_EQ(ledger.judge({{"a", {InodeId{1}, "new"}}}).complaint, "");
}

TEST(PowerLedgerTest, replaced_content_is_old_or_new_and_never_empty) {
  PowerLedger ledger;
  auto node = ledger.create("a");
  ledger.publish(node, bytes("old"), false);
  ledger.made_all_safe();
  ledger.publish(node, bytes("new"), true);
  EXPECT_EQ(ledger.judge({{"a", {InodeId{1}, "old"}}}).complaint, "");
  EXPECT_EQ(ledger.judge({{"a", {InodeId{1}, "new"}}}).complaint, "");
  EXPECT_NE(ledger.judge({{"a", {InodeId{1}, ""}}}).complaint, "");
  EXPECT_NE(ledger.judge({{"a", {InodeId{1}, "nld"}}}).complaint, "");
}

TEST(PowerLedgerTest, writes_after_an_fsync_may_be_there_in_part) {
  PowerLedger ledger;
  auto node = ledger.create("a");
  auto states = std::make_shared<std::vector<PowerLedger::Content>>();
  states->push_back(bytes("synced"));
  ledger.publish(node, bytes("synced"), true, states);
  ledger.made_safe();
  states->push_back(bytes("SYNCED more"));
  EXPECT_EQ(ledger.judge({{"a", {InodeId{1}, "SYnced"}}}).complaint, "");
  EXPECT_NE(ledger.judge({{"a", {InodeId{1}, "SYxced"}}}).complaint, "");
  EXPECT_NE(ledger.judge({{"a", {InodeId{1}, ""}}}).complaint, "");
}

TEST(PowerLedgerTest, names_and_contents_are_of_one_moment) {
  PowerLedger ledger;
  ledger.publish(ledger.create("a"), bytes("1"), true);
  ledger.made_safe();
  ledger.rename("a", "b");
  ledger.publish(ledger.create("a"), bytes("2"), true);
  EXPECT_EQ(ledger.judge({{"a", {InodeId{1}, "1"}}}).complaint, "");
  EXPECT_EQ(ledger.judge({{"b", {InodeId{1}, "1"}}}).complaint, "");
  EXPECT_NE(ledger.judge({{"a", {InodeId{2}, "2"}}}).complaint, "");
  EXPECT_NE(ledger.judge(Found{}).complaint, "");
}

TEST(PowerLedgerTest, only_the_content_of_an_fsync_under_way_may_be_ahead_of_names) {
  PowerLedger ledger;
  const PowerLedger::NodeNumber node = ledger.create("a");
  ledger.publish(node, bytes("1"), true);
  ledger.create("b");
  ledger.made_safe();
  ledger.unlink("b");
  ledger.begin_sync(node);
  ledger.publish(node, bytes("2"), true);
  EXPECT_EQ(ledger.judge({{"a", {InodeId{1}, "2"}}, {"b", {InodeId{2}, ""}}}).complaint, "");
  EXPECT_NE(ledger.judge({{"a", {InodeId{1}, "3"}}, {"b", {InodeId{2}, ""}}}).complaint, "");
  ledger.made_safe();
  EXPECT_NE(ledger.judge({{"a", {InodeId{1}, "2"}}, {"b", {InodeId{2}, ""}}}).complaint, "");
}

TEST(PowerLedgerTest, two_names_of_a_file_are_one_file) {
  PowerLedger ledger;
  ledger.publish(ledger.create("a"), bytes("1"), true);
  ledger.link("a", "b");
  ledger.made_safe();
  EXPECT_EQ(ledger.judge({{"a", {InodeId{1}, "1"}}, {"b", {InodeId{1}, "1"}}}).complaint, "");
  EXPECT_NE(ledger.judge({{"a", {InodeId{1}, "1"}}, {"b", {InodeId{2}, "1"}}}).complaint, "");
}

}  // namespace
}  // namespace weir::testing
