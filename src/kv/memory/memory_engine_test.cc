#include "kv/memory/memory_engine.h"

#include <gtest/gtest.h>

#include "kv/conformance.h"

namespace weir::kv {
namespace {

Result<Version> put(Engine& engine, std::string_view key, std::string_view bytes) {
  auto transaction = engine.begin();
  transaction->put(key, bytes);
  return transaction->commit();
}

std::string text(Engine& engine, std::string_view key) {
  auto value = engine.begin()->get(key);
  if (!value) return outcome(value);
  return *value ? (*value)->bytes : "(absent)";
}

TEST(MemoryEngine, everything_fails_between_crash_and_reopen) {
  MemoryEngine engine;
  ASSERT_TRUE(put(engine, "key", "value"));
  auto begun = engine.begin();
  begun->put("key", "new");
  engine.crash(false);
  EXPECT_EQ(outcome(begun->commit()), "unavailable");
  EXPECT_EQ(text(engine, "key"), "unavailable");
  EXPECT_EQ(outcome(put(engine, "key", "new")), "unavailable");
  EXPECT_EQ(outcome(engine.begin()->scan({}, 1)), "unavailable");
  EXPECT_EQ(outcome(engine.barrier()), "unavailable");
  engine.reopen();
  EXPECT_EQ(text(engine, "key"), "value");
  EXPECT_TRUE(put(engine, "key", "new"));
}

TEST(MemoryEngine, a_power_loss_takes_back_all_since_the_barrier_and_no_version) {
  MemoryEngine engine;
  ASSERT_TRUE(put(engine, "kept", "old"));
  ASSERT_TRUE(put(engine, "erased", "old"));
  ASSERT_TRUE(engine.barrier());
  ASSERT_TRUE(put(engine, "kept", "new"));
  ASSERT_TRUE(put(engine, "kept", "newer"));
  ASSERT_TRUE(put(engine, "added", "new"));
  auto erasing = engine.begin();
  erasing->erase("erased");
  Result<Version> lost = erasing->commit();
  ASSERT_TRUE(lost);
  engine.crash(true);
  engine.reopen();
  EXPECT_EQ(text(engine, "kept"), "old");
  EXPECT_EQ(text(engine, "erased"), "old");
  EXPECT_EQ(text(engine, "added"), "(absent)");
  EXPECT_GT(*put(engine, "kept", "again"), *lost);
}

TEST(MemoryEngine, a_transaction_from_before_a_crash_can_never_commit_and_holds_no_fence) {
  MemoryEngine engine;
  auto transaction = engine.begin();
  ASSERT_TRUE(transaction->fence("guard"));
  transaction->put("key", "of a dead process");
  engine.crash(false);
  engine.reopen();
  auto next = engine.begin();
  EXPECT_TRUE(next->fence("guard"));
  EXPECT_EQ(outcome(transaction->get("key")), "unavailable");
  EXPECT_EQ(outcome(transaction->commit()), "unavailable");
  EXPECT_EQ(text(engine, "key"), "(absent)");
}

}  // namespace
}  // namespace weir::kv
