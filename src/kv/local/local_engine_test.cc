#include "kv/local/local_engine.h"

#include <gtest/gtest.h>

#include "kv/conformance.h"
#include "kv/memory/memory_engine.h"

namespace weir::kv {
namespace {

/// More keys than the gate remembers last writes of, so that keys share a place there.
TEST(LocalEngine, writes_to_many_other_keys_make_no_conflict_and_hide_none) {
  MemoryEngine engine;
  auto seed = engine.begin();
  seed->put("unchanged", "value");
  seed->put("changed", "value");
  ASSERT_TRUE(seed->commit());
  auto over_unchanged = engine.begin(), over_changed = engine.begin();
  ASSERT_TRUE(*over_unchanged->get("unchanged"));
  ASSERT_TRUE(*over_changed->get("changed"));
  constexpr int kCommits = 30, kKeys = 5000;
  for (int i = 0; i < kCommits; ++i) {
    auto filler = engine.begin();
    for (int j = 0; j < kKeys; ++j) filler->put(fmt::format("{}/{}", i, j), "");
    if (i == 3) filler->put("changed", "new");
    ASSERT_TRUE(filler->commit());
  }
  over_unchanged->put("a", "");
  over_changed->put("b", "");
  EXPECT_EQ(outcome(over_unchanged->commit()), "ok");
  EXPECT_EQ(outcome(over_changed->commit()), "conflict");
}

/// A store whose write fails once.
class FailingStore : public OrderedStore {
 public:
  Result<std::optional<Value>> get(std::string_view) override { return std::optional<Value>(Value{"value", 1}); }
  Result<std::vector<std::optional<Value>>> get_many(const std::vector<Bytes>& keys) override {
    return std::vector<std::optional<Value>>(keys.size(), Value{"value", 1});
  }
  Result<std::vector<KeyValue>> scan(const KeyRange&, size_t, bool) override { return std::vector<KeyValue>{}; }
  Status write(const WriteSet&, Version) override {
    if (std::exchange(fails_, false)) return error(Code::kNoSpace, "full");
    return {};
  }
  Result<Version> reserve_versions(uint64_t) override { return 100; }
  Status sync() override { return {}; }

 private:
  bool fails_ = true;
};

TEST(LocalEngine, a_failed_write_reports_the_stores_error_and_uses_up_its_version) {
  LocalEngine engine(std::make_unique<FailingStore>(), {}, "test");
  auto failing = engine.begin(), next = engine.begin();
  failing->put("key", "");
  next->put("key", "");
  EXPECT_EQ(outcome(failing->commit()), "no_space");
  EXPECT_EQ(*next->commit(), 101u);
}

}  // namespace
}  // namespace weir::kv
