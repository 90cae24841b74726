#include <atomic>
#include <chrono>
#include <thread>

#include "kv/conformance.h"

namespace weir::kv {
namespace {

void sleep_ms(int duration_ms) { std::this_thread::sleep_for(std::chrono::milliseconds(duration_ms)); }

TEST_P(EngineConformance, write_skew_over_scans_is_allowed_without_a_fence) {
  auto first = engine().begin(), second = engine().begin();
  EXPECT_EQ(first->scan(KeyRange::prefix("entry/"), 10)->size(), 0u);
  EXPECT_EQ(second->scan(KeyRange::prefix("entry/"), 10)->size(), 0u);
  first->put("entry/a", "");
  second->put("entry/b", "");
  EXPECT_EQ(outcome(first->commit()), "ok");
  EXPECT_EQ(outcome(second->commit()), "ok");
}

TEST_P(EngineConformance, who_validates_a_fenced_key_waits_for_the_fence) {
  for (bool present : {true, false}) {
    const std::string guard = present ? "present" : "absent";
    if (present) put(guard, "value");
    const Version version = present ? value(guard)->version : 0;
    auto fencing = engine().begin();
    ASSERT_TRUE(fencing->fence(guard));
    std::atomic<bool> committed = false;
    std::thread other([&] {
      auto transaction = engine().begin();
      transaction->expect(guard, version);
      transaction->put(guard + "/entry", "");
      EXPECT_EQ(outcome(transaction->commit()), "ok");
      committed = true;
    });
    sleep_ms(80);
    EXPECT_FALSE(committed) << guard;
    EXPECT_EQ(fencing->scan(KeyRange::prefix(guard + "/"), 10)->size(), 0u);
    fencing.reset();
    other.join();
    EXPECT_TRUE(value(guard + "/entry"));
  }
}

TEST_P(EngineConformance, who_got_a_key_absent_and_puts_it_waits_for_its_fence) {
  auto fencing = engine().begin();
  ASSERT_TRUE(fencing->fence("guard"));
  std::atomic<bool> committed = false;
  std::thread other([&] {
    auto transaction = engine().begin();
    ASSERT_FALSE(*transaction->get("guard"));
    transaction->put("guard", "value");
    EXPECT_EQ(outcome(transaction->commit()), "ok");
    committed = true;
  });
  sleep_ms(80);
  EXPECT_FALSE(committed);
  fencing.reset();
  other.join();
  EXPECT_EQ(text("guard"), "value");
}

TEST_P(EngineConformance, a_fencing_transaction_that_erases_the_key_lets_no_waiter_through) {
  put("directory", "");
  auto creator = engine().begin();
  ASSERT_TRUE(*creator->get("directory"));
  creator->put("directory/entry", "");
  auto remover = engine().begin();
  ASSERT_TRUE(*remover->get("directory"));
  ASSERT_TRUE(remover->fence("directory"));
  EXPECT_EQ(remover->scan(KeyRange::prefix("directory/"), 1)->size(), 0u);
  remover->erase("directory");
  std::thread other([&] { EXPECT_EQ(outcome(creator->commit()), "conflict"); });
  sleep_ms(30);
  EXPECT_EQ(outcome(remover->commit()), "ok");
  other.join();
  EXPECT_EQ(text("directory/entry"), "(absent)");
}

TEST_P(EngineConformance, a_fencing_transaction_can_put_a_key_that_was_absent) {
  auto fencing = engine().begin();
  ASSERT_FALSE(*fencing->get("guard"));
  ASSERT_TRUE(fencing->fence("guard"));
  fencing->put("guard", "value");
  Result<Version> version = fencing->commit();
  ASSERT_TRUE(version) << version.error().what;
  EXPECT_EQ(value("guard")->version, *version);
}

TEST_P(EngineConformance, reads_of_a_fencing_transaction_see_only_what_is_committed) {
  put("a", "1");
  auto fencing = engine().begin();
  ASSERT_TRUE(fencing->fence("guard"));
  fencing->put("b", "2");
  EXPECT_FALSE(*fencing->get("guard"));
  EXPECT_FALSE(*fencing->get("b"));
  EXPECT_EQ(fencing->scan({}, 10)->size(), 1u);
  put("c", "3");
  EXPECT_EQ(fencing->scan({}, 10)->size(), 2u);
  EXPECT_EQ(outcome(fencing->commit()), "ok");
}

TEST_P(EngineConformance, a_fence_leaves_nothing_behind) {
  for (bool commit : {false, true}) {
    auto fencing = engine().begin();
    ASSERT_TRUE(fencing->fence("guard"));
    ASSERT_TRUE(fencing->fence("guard")) << "twice is once";
    if (commit) {
      EXPECT_EQ(outcome(fencing->commit()), "ok");
    }
  }
  EXPECT_EQ(engine().begin()->scan({}, 10)->size(), 0u);
  auto next = engine().begin();
  ASSERT_TRUE(next->fence("guard"));
}

TEST_P(EngineConformance, a_second_fence_waits_for_the_first) {
  auto first = engine().begin();
  ASSERT_TRUE(first->fence("guard"));
  std::atomic<bool> fenced = false;
  std::thread other([&] {
    auto second = engine().begin();
    ASSERT_TRUE(second->fence("guard"));
    fenced = true;
    EXPECT_EQ(text("written"), "by the first");
  });
  sleep_ms(60);
  EXPECT_FALSE(fenced);
  first->put("written", "by the first");
  EXPECT_EQ(outcome(first->commit()), "ok");
  other.join();
  EXPECT_TRUE(fenced);
}

TEST_P(EngineConformance, two_that_fence_two_keys_crosswise_do_not_wait_for_ever) {
  auto first = engine().begin(), second = engine().begin();
  ASSERT_TRUE(first->fence("a"));
  ASSERT_TRUE(second->fence("b"));
  Status crossed;
  std::thread other([&] { crossed = second->fence("a"); });
  Status own = first->fence("b");
  other.join();
  EXPECT_TRUE(outcome(own) == "conflict" || outcome(crossed) == "conflict") << outcome(own) << outcome(crossed);
}

TEST_P(EngineConformance, a_fencing_commit_that_meets_anothers_fence_conflicts) {
  put("a", "");
  put("b", "");
  auto first = engine().begin(), second = engine().begin();
  ASSERT_TRUE(first->fence("a"));
  ASSERT_TRUE(second->fence("b"));
  ASSERT_TRUE(*first->get("b"));
  first->put("written", "");
  EXPECT_EQ(outcome(first->commit()), "conflict");
  EXPECT_EQ(text("written"), "(absent)");
  second->put("written", "by the second");
  EXPECT_EQ(outcome(second->commit()), "ok");
}

/// Creators add entries under a directory that they validate; removers fence it, scan it, and erase it when it is
/// empty. No entry may ever stand under an absent directory.
TEST_P(EngineConformance, no_entry_is_created_in_a_directory_that_is_being_removed) {
  constexpr int kCreators = 3, kRemovers = 2, kEnough = 40;
  std::atomic<int> created = 0, removed = 0;
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  auto stop = [&] { return (created >= kEnough && removed >= kEnough) || std::chrono::steady_clock::now() > deadline; };
  auto creator = [&](int id) {
    for (int i = 0; !stop(); ++i) {
      auto transaction = engine().begin();
      auto directory = transaction->get("directory");
      ASSERT_TRUE(directory) << directory.error().what;
      if (!*directory) transaction->put("directory", "");
      const std::string entry = fmt::format("directory/{}/{}", id, i);
      transaction->put(entry, "");
      if (!transaction->commit()) continue;
      ++created;
      EXPECT_NE(text("directory"), "(absent)") << "an entry is in it";
      auto unlink = engine().begin();
      unlink->erase(entry);
      EXPECT_TRUE(unlink->commit());
    }
  };
  auto remover = [&] {
    while (!stop()) {
      auto transaction = engine().begin();
      auto directory = transaction->get("directory");
      ASSERT_TRUE(directory) << directory.error().what;
      if (!*directory || !transaction->fence("directory")) continue;
      auto entries = transaction->scan(KeyRange::prefix("directory/"), 1);
      ASSERT_TRUE(entries) << entries.error().what;
      if (!entries->empty()) continue;
      transaction->erase("directory");
      if (transaction->commit()) ++removed;
    }
  };
  std::vector<std::thread> threads;
  for (int i = 0; i < kCreators; ++i) threads.emplace_back(creator, i);
  for (int i = 0; i < kRemovers; ++i) threads.emplace_back(remover);
  for (std::thread& thread : threads) thread.join();
  EXPECT_GE(created, kEnough);
  EXPECT_GE(removed, kEnough);
}

}  // namespace
}  // namespace weir::kv
