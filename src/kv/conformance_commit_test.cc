#include <thread>

#include "base/limits.h"
#include "kv/conformance.h"

namespace weir::kv {
namespace {

TEST_P(EngineConformance, a_commit_conflicts_when_a_key_it_got_changed) {
  put("read", "old");
  auto transaction = engine().begin();
  ASSERT_TRUE(*transaction->get("read"));
  transaction->put("written", "value");
  put("read", "new");
  EXPECT_EQ(outcome(transaction->commit()), "conflict");
  EXPECT_EQ(text("written"), "(absent)");
}

TEST_P(EngineConformance, a_commit_conflicts_when_a_key_it_got_went_away) {
  put("read", "old");
  auto transaction = engine().begin();
  ASSERT_TRUE(transaction->get_many({"other", "read"}));
  transaction->put("written", "value");
  erase("read");
  EXPECT_EQ(outcome(transaction->commit()), "conflict");
  EXPECT_EQ(text("written"), "(absent)");
}

TEST_P(EngineConformance, a_key_that_went_away_and_came_back_has_changed) {
  put("read", "same");
  auto transaction = engine().begin();
  ASSERT_TRUE(*transaction->get("read"));
  transaction->put("written", "value");
  erase("read");
  put("read", "same");
  EXPECT_EQ(outcome(transaction->commit()), "conflict");
}

TEST_P(EngineConformance, a_commit_conflicts_when_a_key_it_got_absent_and_puts_was_put) {
  auto transaction = engine().begin();
  ASSERT_FALSE(*transaction->get("key"));
  transaction->put("key", "mine");
  transaction->put("another", "mine");
  put("key", "theirs");
  EXPECT_EQ(outcome(transaction->commit()), "conflict");
  EXPECT_EQ(text("key"), "theirs");
  EXPECT_EQ(text("another"), "(absent)");
}

TEST_P(EngineConformance, a_commit_conflicts_when_a_key_it_got_absent_and_erases_was_put) {
  auto transaction = engine().begin();
  ASSERT_FALSE(*transaction->get("key"));
  transaction->erase("key");
  put("key", "theirs");
  EXPECT_EQ(outcome(transaction->commit()), "conflict");
  EXPECT_EQ(text("key"), "theirs");
}

/// A row, and one that another row leads to: what recall() gives of them, if anything.
ReadBatch linked_batch() {
  ReadBatch batch;
  batch.keys = {"name", "absent"};
  batch.links = {{0, 0, 6, ""}};
  return batch;
}

TEST_P(EngineConformance, what_is_recalled_is_what_was_there_a_moment_ago) {
  put("name", "target");
  put("target", "value");
  ASSERT_TRUE(engine().begin()->read(linked_batch()));
  put("target", "newer");
  auto transaction = engine().begin();
  if (auto recalled = transaction->recall(linked_batch())) {
    ASSERT_EQ(recalled->values.size(), 2u);
    EXPECT_EQ(recalled->values[0]->bytes, "target");
    EXPECT_FALSE(recalled->values[1]);
    ASSERT_TRUE(recalled->linked[0]);
    EXPECT_EQ(recalled->linked[0]->bytes, "newer");
  }
  transaction->put("written", "value");
  EXPECT_EQ(outcome(transaction->commit()), "ok");
}

TEST_P(EngineConformance, a_commit_conflicts_when_a_key_that_it_recalled_changed) {
  for (const std::string changed : {"name", "absent", "target"}) {
    put("name", "target");
    put("target", "value");
    erase("absent");
    ASSERT_TRUE(engine().begin()->read(linked_batch()));
    auto transaction = engine().begin();
    const bool is_recalled = transaction->recall(linked_batch()).has_value();
    put(changed, "theirs");
    transaction->put("written", "mine");
    EXPECT_EQ(outcome(transaction->commit()), is_recalled ? "conflict" : "ok") << changed;
  }
}

TEST_P(EngineConformance, an_unchanged_read_does_not_conflict) {
  put("read", "value");
  put("erased", "value");
  auto transaction = engine().begin();
  ASSERT_TRUE(*transaction->get("read"));
  ASSERT_TRUE(*transaction->get("erased"));
  ASSERT_FALSE(*transaction->get("absent"));
  transaction->put("read", "changed");
  transaction->put("absent", "put");
  transaction->erase("erased");
  put("unrelated", "value");
  ASSERT_TRUE(transaction->commit());
  EXPECT_EQ(text("read"), "changed");
  EXPECT_EQ(text("absent"), "put");
  EXPECT_EQ(text("erased"), "(absent)");
}

TEST_P(EngineConformance, a_key_seen_in_two_states_conflicts) {
  put("read", "old");
  auto transaction = engine().begin();
  ASSERT_TRUE(*transaction->get("read"));
  put("read", "new");
  ASSERT_TRUE(*transaction->get("read"));
  transaction->put("written", "value");
  EXPECT_EQ(outcome(transaction->commit()), "conflict");
}

TEST_P(EngineConformance, writes_without_reads_never_conflict) {
  auto transaction = engine().begin();
  transaction->put("key", "first");
  transaction->erase("gone");
  put("key", "second");
  put("gone", "value");
  ASSERT_TRUE(transaction->commit());
  EXPECT_EQ(text("key"), "first");
  EXPECT_EQ(text("gone"), "(absent)");
}

TEST_P(EngineConformance, a_transaction_without_writes_commits_whatever_changed) {
  put("read", "old");
  auto transaction = engine().begin();
  ASSERT_TRUE(*transaction->get("read"));
  transaction->expect("read", 12345);
  put("read", "new");
  EXPECT_EQ(outcome(transaction->commit()), "ok");
}

TEST_P(EngineConformance, expect_takes_the_version_the_key_has_and_no_other) {
  const Version old_version = put("key", "old");
  const Version other_version = put("other", "value");
  const Version version = put("key", "new");
  const std::pair<Version, std::string> cases[] = {
      {version, "ok"}, {old_version, "conflict"}, {other_version, "conflict"},
      {0, "conflict"}, {version + 1, "conflict"}, {uint64_t{1} << 62, "conflict"}};
  for (const auto& [expected, result] : cases) {
    auto transaction = engine().begin();
    transaction->expect("key", expected);
    transaction->put("written", "value");
    EXPECT_EQ(outcome(transaction->commit()), result) << expected;
  }
}

TEST_P(EngineConformance, expect_of_absence_is_validated_without_a_write_to_the_key) {
  for (bool present : {false, true}) {
    if (present) put("key", "value");
    auto transaction = engine().begin();
    transaction->expect("key", 0);
    transaction->put("written", "value");
    EXPECT_EQ(outcome(transaction->commit()), present ? "conflict" : "ok");
  }
  EXPECT_EQ(text("key"), "value");
}

TEST_P(EngineConformance, expect_of_absence_leaves_the_key_absent) {
  auto transaction = engine().begin();
  transaction->expect("absent", 0);
  transaction->put("written", "value");
  ASSERT_TRUE(transaction->commit());
  EXPECT_FALSE(value("absent"));
  EXPECT_EQ(engine().begin()->scan({}, 10)->size(), 1u);
}

TEST_P(EngineConformance, expect_that_contradicts_a_read_conflicts) {
  const Version old_version = put("key", "old");
  put("key", "new");
  auto transaction = engine().begin();
  transaction->expect("key", old_version);
  ASSERT_TRUE(*transaction->get("key"));
  transaction->put("written", "value");
  EXPECT_EQ(outcome(transaction->commit()), "conflict");
}

TEST_P(EngineConformance, too_large_writes_are_refused_whole) {
  const std::string long_key(limits::kKeyBytes + 1, 'k'), big(limits::kValueBytes + 1, 'v');
  auto with_long_key = engine().begin();
  with_long_key->put("small", "value");
  with_long_key->put(long_key, "value");
  EXPECT_EQ(outcome(with_long_key->commit()), "too_large");
  auto with_big_value = engine().begin();
  with_big_value->put("small", "value");
  with_big_value->put("key", big);
  EXPECT_EQ(outcome(with_big_value->commit()), "too_large");
  EXPECT_EQ(text("small"), "(absent)");
}

TEST_P(EngineConformance, a_transaction_of_the_greatest_size_commits_and_a_greater_one_does_not) {
  for (bool greater : {false, true}) {
    auto transaction = engine().begin();
    size_t left = limits::kTransactionBytes + (greater ? 1 : 0);
    for (char key = 'a'; left > 0; ++key) {
      const size_t size = std::min(left - 1, limits::kValueBytes);
      transaction->put(std::string(1, key), std::string(size, greater ? 'g' : 'v'));
      left -= 1 + size;
    }
    EXPECT_EQ(outcome(transaction->commit()), greater ? "too_large" : "ok");
  }
  EXPECT_EQ(text("a").front(), 'v');
}

TEST_P(EngineConformance, a_transaction_of_thousands_of_small_keys_commits) {
  std::vector<Bytes> keys;
  for (int i = 0; i < 5000; ++i) keys.push_back(fmt::format("key{}", i));
  for (const std::string content : {"inserted", "updated"}) {
    auto transaction = engine().begin();
    ASSERT_TRUE(transaction->get_many(keys));
    for (const Bytes& key : keys) transaction->put(key, content);
    Result<Version> version = transaction->commit();
    ASSERT_TRUE(version) << version.error().what;
    EXPECT_EQ(text("key4999"), content);
  }
}

TEST_P(EngineConformance, an_uncommitted_transaction_leaves_nothing) {
  {
    auto transaction = engine().begin();
    transaction->put("key", "value");
  }
  EXPECT_FALSE(value("key"));
}

TEST_P(EngineConformance, of_two_that_change_what_both_read_one_conflicts) {
  put("account", "1");
  auto first = engine().begin(), second = engine().begin();
  ASSERT_TRUE(*first->get("account"));
  ASSERT_TRUE(*second->get("account"));
  first->put("account", "first");
  second->put("account", "second");
  EXPECT_EQ(outcome(first->commit()), "ok");
  EXPECT_EQ(outcome(second->commit()), "conflict");
  EXPECT_EQ(text("account"), "first");
}

TEST_P(EngineConformance, write_skew_over_validated_gets_conflicts) {
  put("left", "1");
  put("right", "1");
  auto first = engine().begin(), second = engine().begin();
  ASSERT_TRUE(first->get_many({"left", "right"}));
  ASSERT_TRUE(second->get_many({"left", "right"}));
  first->put("left", "0");
  second->put("right", "0");
  EXPECT_EQ(outcome(first->commit()), "ok");
  EXPECT_EQ(outcome(second->commit()), "conflict");
}

TEST_P(EngineConformance, write_skew_over_expected_absence_conflicts) {
  auto first = engine().begin(), second = engine().begin();
  first->expect("left", 0);
  first->put("right", "first");
  second->expect("right", 0);
  second->put("left", "second");
  EXPECT_EQ(outcome(first->commit()), "ok");
  EXPECT_EQ(outcome(second->commit()), "conflict");
}

TEST_P(EngineConformance, concurrent_write_skew_never_gets_through) {
  constexpr int kRounds = 60;
  for (int round = 0; round < kRounds; ++round) {
    const std::string keys[] = {fmt::format("{}/left", round), fmt::format("{}/right", round)};
    // Half of the rounds over keys that exist, half over absent ones.
    const bool present = round % 2 == 0;
    if (present) {
      put(keys[0], "on");
      put(keys[1], "on");
    }
    bool committed[2] = {false, false};
    auto switch_off = [&](int own) {
      auto transaction = engine().begin();
      if (present) {
        auto values = transaction->get_many({keys[0], keys[1]});
        ASSERT_TRUE(values) << values.error().what;
        if (values->at(1 - own)->bytes == "off") return;
      } else {
        transaction->expect(keys[1 - own], 0);
      }
      transaction->put(keys[own], "off");
      committed[own] = transaction->commit().has_value();
    };
    std::thread other(switch_off, 1);
    switch_off(0);
    other.join();
    EXPECT_FALSE(committed[0] && committed[1]) << "round " << round;
  }
}

TEST_P(EngineConformance, increments_from_many_threads_all_count) {
  constexpr int kThreads = 6, kIncrements = 25;
  put("counter", "0");
  auto work = [&] {
    for (int done = 0; done < kIncrements;) {
      auto transaction = engine().begin();
      auto current = transaction->get("counter");
      ASSERT_TRUE(current) << current.error().what;
      transaction->put("counter", std::to_string(std::stoi((*current)->bytes) + 1));
      Result<Version> version = transaction->commit();
      ASSERT_TRUE(version || version.error().code == Code::kConflict) << version.error().what;
      if (version) ++done;
    }
  };
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i) threads.emplace_back(work);
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(text("counter"), std::to_string(kThreads * kIncrements));
}

TEST_P(EngineConformance, first_writers_of_an_absent_key_race_and_one_wins) {
  constexpr int kThreads = 6, kRounds = 20;
  for (int round = 0; round < kRounds; ++round) {
    const std::string key = fmt::format("slot{}", round);
    std::atomic<int> winners{0};
    std::vector<std::thread> threads;
    for (int i = 0; i < kThreads; ++i) {
      threads.emplace_back([&, i] {
        auto transaction = engine().begin();
        auto found = transaction->get(key);
        ASSERT_TRUE(found);
        if (*found) return;
        transaction->put(key, std::to_string(i));
        if (transaction->commit()) ++winners;
      });
    }
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(winners, 1) << key;
  }
}

TEST_P(EngineConformance, of_those_who_race_for_many_absent_keys_one_wins_and_the_others_leave_nothing) {
  constexpr int kThreads = 4;
  constexpr int kKeys = 300;
  std::vector<Bytes> keys;
  for (int i = 0; i < kKeys; ++i) keys.push_back(fmt::format("shared{:03}", i));
  std::atomic<int> read = 0;
  std::vector<std::string> outcomes(kThreads);
  std::vector<std::thread> threads;
  for (int thread = 0; thread < kThreads; ++thread) {
    threads.emplace_back([&, thread] {
      auto transaction = engine().begin();
      const auto values = transaction->get_many(keys);
      // Nobody commits before all have seen that there is nothing.
      for (++read; read < kThreads;) std::this_thread::yield();
      if (!values) return;
      // The last two of the keys are wanted by all, the others by every second.
      for (int i = thread % 2 == 0 ? 0 : kKeys - 2; i < kKeys; ++i)
        transaction->put(keys[i], fmt::format("{}", thread));
      for (int i = 0; i < kKeys; ++i) transaction->put(fmt::format("own{}-{}", thread, i), "x");
      outcomes[thread] = outcome(transaction->commit());
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(std::count(outcomes.begin(), outcomes.end(), "ok"), 1);
  EXPECT_EQ(std::count(outcomes.begin(), outcomes.end(), "conflict"), kThreads - 1);
  const auto winner = std::find(outcomes.begin(), outcomes.end(), "ok") - outcomes.begin();
  for (int thread = 0; thread < kThreads; ++thread)
    for (int i : {0, 63, 64, kKeys - 1})
      EXPECT_EQ(text(fmt::format("own{}-{}", thread, i)), thread == winner ? "x" : "(absent)");
  EXPECT_EQ(text(keys[0]), winner % 2 == 0 ? fmt::format("{}", winner) : "(absent)");
  EXPECT_EQ(text(keys[kKeys - 1]), fmt::format("{}", winner));
}

TEST_P(EngineConformance, transactions_over_many_shared_keys_move_without_loss) {
  constexpr int kAccounts = 8, kThreads = 4, kMoves = 25;
  for (int i = 0; i < kAccounts; ++i) put(fmt::format("account{}", i), "100");
  auto work = [&](int seed) {
    for (int done = 0, attempt = seed; done < kMoves; attempt += 7) {
      const std::string from = fmt::format("account{}", attempt % kAccounts);
      const std::string to = fmt::format("account{}", (attempt / 3 + 1 + attempt) % kAccounts);
      auto transaction = engine().begin();
      auto values = transaction->get_many({from, to});
      ASSERT_TRUE(values) << values.error().what;
      if (from != to) {
        transaction->put(from, std::to_string(std::stoi(values->at(0)->bytes) - 1));
        transaction->put(to, std::to_string(std::stoi(values->at(1)->bytes) + 1));
      }
      if (transaction->commit()) ++done;
    }
  };
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i) threads.emplace_back(work, i * 13);
  for (std::thread& thread : threads) thread.join();
  int total = 0;
  for (int i = 0; i < kAccounts; ++i) total += std::stoi(text(fmt::format("account{}", i)));
  EXPECT_EQ(total, 100 * kAccounts);
}

}  // namespace
}  // namespace weir::kv
