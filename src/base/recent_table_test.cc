#include "base/recent_table.h"

#include <gtest/gtest.h>

#include <string>

#include "testing/fake_clock.h"

namespace weir {
namespace {

constexpr int64_t kKeptNs = 1'000;
constexpr size_t kCapacity = 16 * 4;

class RecentTableTest : public ::testing::Test {
 protected:
  void note(int key, const std::string& value) {
    table_.note(key, [&](std::string& noted) { noted += value; });
  }
  std::string of(int key) const { return table_.of(key).value_or("nothing"); }

  testing::FakeClock clock_;
  RecentTable<int, std::string> table_{clock_, kKeptNs, kCapacity};
};

TEST_F(RecentTableTest, what_is_noted_adds_to_what_was_noted_before) {
  EXPECT_EQ(of(1), "nothing");
  note(1, "a");
  note(1, "b");
  EXPECT_EQ(of(1), "ab");
  clock_.advance_ns(kKeptNs);
  note(1, "c");
  EXPECT_EQ(of(1), "abc");
  EXPECT_EQ(of(2), "nothing");
}

TEST_F(RecentTableTest, it_is_kept_for_as_long_as_was_said_and_not_for_ever) {
  note(1, "a");
  clock_.advance_ns(kKeptNs - 1);
  note(2, "b");
  clock_.advance_ns(kKeptNs - 1);
  EXPECT_EQ(of(2), "b");
  clock_.advance_ns(2 * kKeptNs);
  EXPECT_EQ(of(1), "nothing");
  EXPECT_EQ(of(2), "nothing");
  note(3, "c");
  EXPECT_EQ(of(2), "nothing");
}

TEST_F(RecentTableTest, it_is_gone_after_twice_as_long_though_nobody_notes_anything) {
  note(1, "a");
  clock_.advance_ns(kKeptNs);
  note(1 + 16, "in the same shard");
  clock_.advance_ns(kKeptNs);
  EXPECT_EQ(of(1), "nothing");
  EXPECT_EQ(of(1 + 16), "in the same shard");
}

TEST_F(RecentTableTest, what_is_noted_again_is_kept_as_long_as_anew_and_what_is_not_there_stays_away) {
  table_.note_again(1, [](std::string& noted) { noted = "again"; });
  EXPECT_EQ(of(1), "nothing");
  note(1, "a");
  clock_.advance_ns(kKeptNs);
  table_.note_again(1, [](std::string& noted) { noted += "b"; });
  clock_.advance_ns(kKeptNs);
  EXPECT_EQ(of(1), "ab");
}

TEST_F(RecentTableTest, what_is_noted_again_without_room_is_changed_where_it_is) {
  note(1, "a");
  clock_.advance_ns(kKeptNs);
  for (size_t i = 0; i < 2 * kCapacity; ++i) note(static_cast<int>(100 + i), "other");
  table_.note_again(1, [](std::string& noted) { noted = "changed"; });
  EXPECT_EQ(of(1), "changed");
  clock_.advance_ns(kKeptNs);
  EXPECT_EQ(of(1), "nothing");
}

TEST_F(RecentTableTest, what_is_there_can_be_changed_and_forgotten) {
  note(1, "a");
  clock_.advance_ns(kKeptNs);
  note(2, "b");
  for (int key : {1, 2, 3}) table_.change(key, [](std::string& noted) { noted = "changed"; });
  EXPECT_EQ(of(1), "changed");
  EXPECT_EQ(of(2), "changed");
  EXPECT_EQ(of(3), "nothing");
  table_.forget(1);
  table_.forget(2);
  EXPECT_EQ(of(1), "nothing");
  EXPECT_EQ(of(2), "nothing");
}

TEST_F(RecentTableTest, it_is_bounded) {
  size_t noted = 0;
  for (int key = 0; key < 1'000; ++key) noted += table_.note(key, [](std::string& value) { value = "a"; }) ? 1 : 0;
  EXPECT_EQ(noted, kCapacity);
  EXPECT_EQ(of(999), "nothing");
  clock_.advance_ns(kKeptNs);
  EXPECT_TRUE(table_.note(999, [](std::string& value) { value = "a"; }));
}

}  // namespace
}  // namespace weir
