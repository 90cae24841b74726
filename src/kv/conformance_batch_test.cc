#include "kv/conformance.h"

namespace weir::kv {
namespace {

std::string shown(const std::optional<Value>& value) { return value ? value->bytes : "(absent)"; }

/// "key" leads to the row whose key is "row-" and the three bytes at 2 of its value.
ReadBatch leading(const std::string& key) {
  ReadBatch batch;
  batch.keys = {key};
  batch.links = {{0, 2, 3, "row-"}};
  return batch;
}

TEST_P(EngineConformance, a_batch_reads_keys_the_rows_they_lead_to_and_ranges) {
  put("first", "..abc");
  put("second", "..xyz and more");
  const Version version = put("row-abc", "1");
  put("row-xyz", "2");
  put("range/1", "a");
  put("range/2", "b");
  ReadBatch batch;
  batch.keys = {"first", "missing", "second"};
  batch.links = {{0, 2, 3, "row-"}, {2, 2, 3, "row-"}, {1, 2, 3, "row-"}};
  batch.scans = {{KeyRange::prefix("range/"), 10, false}, {KeyRange::prefix("range/"), 1, true}};
  auto answer = engine().begin()->read(batch);
  ASSERT_TRUE(answer) << answer.error().what;
  ASSERT_EQ(answer->values.size(), 3u);
  EXPECT_EQ(shown(answer->values[0]), "..abc");
  EXPECT_EQ(shown(answer->values[1]), "(absent)");
  EXPECT_EQ(shown(answer->values[2]), "..xyz and more");
  ASSERT_EQ(answer->linked.size(), 3u);
  EXPECT_EQ(shown(answer->linked[0]), "1");
  EXPECT_EQ(answer->linked[0]->version, version);
  EXPECT_EQ(shown(answer->linked[1]), "2");
  EXPECT_EQ(shown(answer->linked[2]), "(absent)");
  ASSERT_EQ(answer->scans.size(), 2u);
  ASSERT_EQ(answer->scans[0].size(), 2u);
  EXPECT_EQ(answer->scans[0][0].key, "range/1");
  ASSERT_EQ(answer->scans[1].size(), 1u);
  EXPECT_EQ(answer->scans[1][0].key, "range/2");
}

TEST_P(EngineConformance, one_key_of_several_leads_to_a_row_wherever_they_lie) {
  put("first", "..abc");
  put("second", "..xyz");
  put("row-abc", "1");
  put("row-xyz", "2");
  put("even-abc", "3");
  for (const size_t from : {0, 1}) {
    SCOPED_TRACE(from);
    ReadBatch batch;
    batch.keys = {"first", "second"};
    batch.links = {{from, 2, 3, "row-"}, {0, 2, 3, "even-"}};
    auto answer = engine().begin()->read(batch);
    ASSERT_TRUE(answer) << answer.error().what;
    EXPECT_EQ(shown(answer->values[0]), "..abc");
    EXPECT_EQ(shown(answer->values[1]), "..xyz");
    EXPECT_EQ(shown(answer->linked[0]), from == 0 ? "1" : "2");
    EXPECT_EQ(shown(answer->linked[1]), "3");
  }
}

TEST_P(EngineConformance, an_empty_batch_reads_nothing) {
  auto answer = engine().begin()->read({});
  ASSERT_TRUE(answer) << answer.error().what;
  EXPECT_TRUE(answer->values.empty() && answer->linked.empty() && answer->scans.empty());
  ReadBatch nothing;
  nothing.scans = {{{"b", "a"}, 10, false}, {{"a", "a"}, 10, false}};
  answer = engine().begin()->read(nothing);
  ASSERT_TRUE(answer) << answer.error().what;
  ASSERT_EQ(answer->scans.size(), 2u);
  EXPECT_TRUE(answer->scans[0].empty() && answer->scans[1].empty());
}

TEST_P(EngineConformance, a_row_that_is_too_short_leads_nowhere) {
  put("short", "..ab");
  put("row-ab", "never");
  auto answer = engine().begin()->read(leading("short"));
  ASSERT_TRUE(answer) << answer.error().what;
  EXPECT_EQ(shown(answer->linked[0]), "(absent)");
}

TEST_P(EngineConformance, a_linked_row_is_validated) {
  put("key", "..abc");
  put("row-abc", "1");
  auto transaction = engine().begin();
  auto answer = transaction->read(leading("key"));
  ASSERT_TRUE(answer) << answer.error().what;
  EXPECT_EQ(shown(answer->linked[0]), "1");
  put("row-abc", "2");
  transaction->put("other", "");
  EXPECT_EQ(outcome(transaction->commit()), "conflict");
}

TEST_P(EngineConformance, a_row_that_leads_to_another_is_validated) {
  put("key", "..abc");
  put("row-abc", "1");
  auto transaction = engine().begin();
  ASSERT_TRUE(transaction->read(leading("key")));
  put("key", "..xyz");
  transaction->put("other", "");
  EXPECT_EQ(outcome(transaction->commit()), "conflict");
}

TEST_P(EngineConformance, the_absence_of_a_linked_row_is_validated_when_it_is_written) {
  put("key", "..abc");
  auto transaction = engine().begin();
  auto answer = transaction->read(leading("key"));
  ASSERT_TRUE(answer) << answer.error().what;
  EXPECT_EQ(shown(answer->linked[0]), "(absent)");
  put("row-abc", "1");
  transaction->put("row-abc", "mine");
  EXPECT_EQ(outcome(transaction->commit()), "conflict");
  EXPECT_EQ(text("row-abc"), "1");
}

TEST_P(EngineConformance, rows_of_many_kinds_are_changed_in_one_commit) {
  put("a", "old");
  put("b", "old");
  put("c", "old");
  put("d", "old");
  auto transaction = engine().begin();
  ASSERT_TRUE(transaction->get_many({"a", "b", "e", "f"}));
  for (const char* key : {"a", "b", "e", "f"}) transaction->put(key, "new");
  for (const char* key : {"c", "d"}) transaction->erase(key);
  for (const char* key : {"g", "h"}) transaction->put(key, "new");
  ASSERT_EQ(outcome(transaction->commit()), "ok");
  std::string all;
  for (const char* key : {"a", "b", "c", "d", "e", "f", "g", "h"}) all += text(key) + " ";
  EXPECT_EQ(all, "new new (absent) (absent) new new new new ");
}

}  // namespace
}  // namespace weir::kv
