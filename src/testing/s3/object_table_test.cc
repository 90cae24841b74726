#include "testing/s3/object_table.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "testing/fake_clock.h"

namespace weir::testing::s3 {
namespace {

using PutResult = ObjectTable::PutResult;

ObjectPointer object_of(std::string bytes) {
  Object object;
  object.bytes = std::move(bytes);
  return std::make_shared<const Object>(std::move(object));
}

class ObjectTableTest : public ::testing::Test {
 protected:
  ObjectTableTest() { table_.make_bucket("bucket"); }

  std::string keys(std::string_view prefix, std::string_view after, size_t limit, int64_t age_ms = 0) const {
    std::string text;
    for (const ListedKey& listed : table_.list("bucket", prefix, after, limit, age_ms)) text += listed.key + " ";
    return text;
  }

  FakeClock clock_;
  ObjectTable table_{clock_};
};

TEST_F(ObjectTableTest, ListsInOrderBehindAKey) {
  for (const auto* key : {"b/2", "a", "b/1", "c", "b/3"}) table_.put("bucket", key, object_of("x"), false);
  EXPECT_EQ(keys("", "", 10), "a b/1 b/2 b/3 c ");
  EXPECT_EQ(keys("b/", "", 2), "b/1 b/2 ");
  EXPECT_EQ(keys("b/", "b/1", 10), "b/2 b/3 ");
  EXPECT_EQ(keys("b/", "zz", 10), "");
  EXPECT_EQ(keys("", "a", 1), "b/1 ");
}

TEST_F(ObjectTableTest, OldListingsShowWhatWasThereThen) {
  table_.put("bucket", "old", object_of("x"), false);
  table_.put("bucket", "gone", object_of("x"), false);
  clock_.advance_ms(100);
  table_.put("bucket", "new", object_of("x"), false);
  table_.remove("bucket", "gone");
  table_.remove("bucket", "never");
  clock_.advance_ms(10);
  EXPECT_EQ(keys("", "", 10), "new old ");
  EXPECT_EQ(keys("", "", 10, 50), "gone old ");
  EXPECT_EQ(keys("", "", 10, 5), "new old ");
  EXPECT_EQ(keys("", "", 10, 1000), "");
}

TEST_F(ObjectTableTest, OfManyConditionalPutsOneWins) {
  std::atomic<int> won = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; i++) {
    threads.emplace_back([&] {
      for (int key = 0; key < 100; key++) {
        if (table_.put("bucket", std::to_string(key), object_of("x"), true) == PutResult::kDone) won++;
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(won, 100);
}

TEST_F(ObjectTableTest, AnAbsentBucketHoldsNothing) {
  EXPECT_EQ(table_.put("other", "key", object_of("x"), false), PutResult::kNoBucket);
  EXPECT_EQ(table_.get("other", "key"), nullptr);
  EXPECT_FALSE(table_.has_bucket("other"));
}

}  // namespace
}  // namespace weir::testing::s3
