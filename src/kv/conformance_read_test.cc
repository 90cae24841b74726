#include <algorithm>
#include <set>

#include "base/limits.h"
#include "kv/conformance.h"

namespace weir::kv {
namespace {

using std::string_literals::operator""s;

std::vector<std::string> keys_of(const Result<std::vector<KeyValue>>& rows) {
  EXPECT_TRUE(rows) << rows.error().what;
  std::vector<std::string> keys;
  for (const KeyValue& row : rows.value_or(std::vector<KeyValue>{})) keys.push_back(row.key);
  return keys;
}

using Keys = std::vector<std::string>;

TEST_P(EngineConformance, an_absent_key_reads_as_nothing) { EXPECT_FALSE(value("nothing")); }

TEST_P(EngineConformance, a_value_reads_back_with_the_version_of_its_commit) {
  const Version version = put("key", "value");
  ASSERT_TRUE(value("key"));
  EXPECT_EQ(value("key")->bytes, "value");
  EXPECT_EQ(value("key")->version, version);
  EXPECT_NE(version, 0u);
}

TEST_P(EngineConformance, keys_and_values_are_any_bytes) {
  const std::string zeros = "\0\0"s, high = "\xff\xfe\0'\\"s;
  put(zeros, high);
  put(high, "");
  EXPECT_EQ(text(zeros), high);
  EXPECT_EQ(text(high), "");
}

TEST_P(EngineConformance, the_biggest_key_and_value_fit) {
  const std::string key(limits::kKeyBytes, '\xff'), big(limits::kValueBytes, '\x01');
  put(key, big);
  EXPECT_EQ(text(key), big);
  EXPECT_EQ(keys_of(engine().begin()->scan({}, 10)), Keys{key});
}

TEST_P(EngineConformance, all_keys_of_one_commit_get_its_version) {
  auto transaction = engine().begin();
  transaction->put("a", "1");
  transaction->put("b", "2");
  Result<Version> version = transaction->commit();
  ASSERT_TRUE(version);
  EXPECT_EQ(value("a")->version, *version);
  EXPECT_EQ(value("b")->version, *version);
}

TEST_P(EngineConformance, no_version_is_used_twice) {
  std::set<Version> versions;
  for (int i = 0; i < 20; ++i) {
    EXPECT_TRUE(versions.insert(put("key", "same")).second);
    erase("key");
  }
  reopen();
  for (int i = 0; i < 20; ++i) EXPECT_TRUE(versions.insert(put("key", "same")).second);
}

TEST_P(EngineConformance, content_and_versions_outlive_a_reopen) {
  const Version version = put("key", "value");
  ASSERT_TRUE(engine().barrier());
  reopen();
  ASSERT_TRUE(value("key"));
  EXPECT_EQ(value("key")->bytes, "value");
  EXPECT_EQ(value("key")->version, version);
}

TEST_P(EngineConformance, an_erased_key_is_absent) {
  put("key", "value");
  erase("key");
  EXPECT_FALSE(value("key"));
  erase("key");
  EXPECT_FALSE(value("key"));
}

TEST_P(EngineConformance, the_last_of_several_writes_to_a_key_counts) {
  auto transaction = engine().begin();
  transaction->put("put last", "1");
  transaction->erase("put last");
  transaction->put("put last", "2");
  transaction->put("erased last", "1");
  transaction->erase("erased last");
  ASSERT_TRUE(transaction->commit());
  EXPECT_EQ(text("put last"), "2");
  EXPECT_EQ(text("erased last"), "(absent)");
}

TEST_P(EngineConformance, get_many_answers_in_the_order_asked) {
  put("a", "1");
  put("c", "3");
  auto values = engine().begin()->get_many({"c", "b", "a", "c"});
  ASSERT_TRUE(values) << values.error().what;
  ASSERT_EQ(values->size(), 4u);
  EXPECT_EQ(values->at(0)->bytes, "3");
  EXPECT_FALSE(values->at(1));
  EXPECT_EQ(values->at(2)->bytes, "1");
  EXPECT_EQ(values->at(3)->version, values->at(0)->version);
  EXPECT_EQ(engine().begin()->get_many({})->size(), 0u);
}

TEST_P(EngineConformance, reads_do_not_see_the_transactions_own_writes) {
  put("changed", "old");
  put("erased", "old");
  auto transaction = engine().begin();
  transaction->put("changed", "new");
  transaction->put("added", "new");
  transaction->erase("erased");
  EXPECT_EQ((*transaction->get("changed"))->bytes, "old");
  EXPECT_FALSE(*transaction->get("added"));
  EXPECT_EQ(keys_of(transaction->scan({}, 10)), (Keys{"changed", "erased"}));
  ASSERT_TRUE(transaction->commit());
  EXPECT_EQ(text("changed"), "new");
  EXPECT_EQ(keys_of(engine().begin()->scan({}, 10)), (Keys{"added", "changed"}));
}

TEST_P(EngineConformance, a_scan_returns_a_prefix_in_byte_order) {
  for (const std::string key : {"b", "a\xff", "a\xff\xff", "a", "a\x01", "A", "a\x7f", "a\x80"}) put(key, key);
  auto rows = engine().begin()->scan(KeyRange::prefix("a"), 100);
  EXPECT_EQ(keys_of(rows), (Keys{"a", "a\x01", "a\x7f", "a\x80", "a\xff", "a\xff\xff"}));
  EXPECT_EQ(rows->front().bytes, "a");
  EXPECT_EQ(rows->front().version, value("a")->version);
  EXPECT_EQ(keys_of(engine().begin()->scan(KeyRange::prefix("a\xff"), 100)), (Keys{"a\xff", "a\xff\xff"}));
}

TEST_P(EngineConformance, the_prefix_of_only_highest_bytes_has_no_end) {
  for (const std::string key : {"\xfe", "\xff", "\xff\xff", "\xff\xff\xff"}) put(key, key);
  EXPECT_EQ(keys_of(engine().begin()->scan(KeyRange::prefix("\xff\xff"), 100)), (Keys{"\xff\xff", "\xff\xff\xff"}));
}

TEST_P(EngineConformance, a_range_includes_its_begin_and_not_its_end) {
  for (const std::string key : {"a", "b", "c", "d"}) put(key, key);
  EXPECT_EQ(keys_of(engine().begin()->scan({"b", "d"}, 100)), (Keys{"b", "c"}));
  EXPECT_EQ(keys_of(engine().begin()->scan({"b", "d"}, 100, true)), (Keys{"c", "b"}));
  EXPECT_EQ(keys_of(engine().begin()->scan({"c", ""}, 100)), (Keys{"c", "d"}));
  EXPECT_EQ(keys_of(engine().begin()->scan({"c", "c"}, 100)), Keys{});
  EXPECT_EQ(keys_of(engine().begin()->scan({"d", "a"}, 100)), Keys{});
  EXPECT_EQ(keys_of(engine().begin()->scan({"d", "a"}, 100, true)), Keys{});
}

TEST_P(EngineConformance, a_limited_scan_goes_on_behind_its_last_key) {
  for (const std::string key : {"a", "b", "c", "d", "e"}) put(key, key);
  EXPECT_EQ(keys_of(engine().begin()->scan({}, 2)), (Keys{"a", "b"}));
  EXPECT_EQ(keys_of(engine().begin()->scan({"b\0"s, ""}, 2)), (Keys{"c", "d"}));
  EXPECT_EQ(keys_of(engine().begin()->scan({}, 2, true)), (Keys{"e", "d"}));
  EXPECT_EQ(keys_of(engine().begin()->scan({"", "d"}, 2, true)), (Keys{"c", "b"}));
}

TEST_P(EngineConformance, a_big_scan_returns_every_row_once) {
  constexpr int kRows = 2500;
  auto transaction = engine().begin();
  for (int i = 0; i < kRows; ++i) transaction->put(fmt::format("row{:05}", i), std::string(100, 'x'));
  ASSERT_TRUE(transaction->commit());
  Keys forward, backward;
  for (KeyRange rest = KeyRange::prefix("row"); true;) {
    Keys page = keys_of(engine().begin()->scan(rest, limits::kScanRows));
    forward.insert(forward.end(), page.begin(), page.end());
    if (page.size() < limits::kScanRows) break;
    rest.begin = page.back() + '\0';
  }
  for (KeyRange rest = KeyRange::prefix("row"); true;) {
    Keys page = keys_of(engine().begin()->scan(rest, limits::kScanRows, true));
    backward.insert(backward.end(), page.begin(), page.end());
    if (page.size() < limits::kScanRows) break;
    rest.end = page.back();
  }
  EXPECT_EQ(forward.size(), static_cast<size_t>(kRows));
  EXPECT_TRUE(std::is_sorted(forward.begin(), forward.end()));
  std::reverse(backward.begin(), backward.end());
  EXPECT_EQ(backward, forward);
}

}  // namespace
}  // namespace weir::kv
