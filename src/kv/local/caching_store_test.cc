#include "kv/local/caching_store.h"

#include <gtest/gtest.h>

#include <functional>

#include "kv/write_set.h"

namespace weir::kv {
namespace {

/// A map that counts reads, runs a hook in the middle of one, and fails writes when told to.
class CountingStore : public OrderedStore {
 public:
  Result<std::optional<Value>> get(std::string_view key) override {
    ++reads;
    auto found = values.find(key);
    std::optional<Value> value = found == values.end() ? std::nullopt : std::optional(found->second);
    if (auto hook = std::exchange(in_read, nullptr)) hook();
    return value;
  }
  Result<std::vector<std::optional<Value>>> get_many(const std::vector<Bytes>& keys) override {
    std::vector<std::optional<Value>> all;
    for (const Bytes& key : keys) all.push_back(*get(key));
    return all;
  }
  Result<std::vector<KeyValue>> scan(const KeyRange&, size_t, bool) override { return std::vector<KeyValue>{}; }
  Status write(const WriteSet& writes, Version version) override {
    if (auto hook = std::exchange(in_write, nullptr)) hook();
    if (full) return error(Code::kNoSpace, "full");
    for (const auto& [key, bytes] : writes.writes()) {
      values.erase(key);
      if (bytes) values[key] = Value{*bytes, version};
    }
    return {};
  }
  Result<Version> reserve_versions(uint64_t) override { return 1; }
  Status sync() override { return {}; }

  std::map<Bytes, Value, std::less<>> values;
  std::function<void()> in_read;
  std::function<void()> in_write;
  int reads = 0;
  bool full = false;
};

WriteSet one(std::string_view key, std::string_view bytes) {
  WriteSet writes;
  writes.put(key, bytes);
  return writes;
}

class CachingStoreTest : public testing::Test {
 protected:
  void open(size_t bytes_max) {
    auto owned = std::make_unique<CountingStore>();
    below_ = owned.get();
    store_ = std::make_unique<CachingStore>(std::move(owned), bytes_max);
  }
  void SetUp() override { open(1u << 20); }

  Bytes read(std::string_view key) {
    auto value = store_->get(key);
    return *value ? (*value)->bytes : "absent";
  }

  CountingStore* below_ = nullptr;
  std::unique_ptr<CachingStore> store_;
};

TEST_F(CachingStoreTest, a_row_is_read_from_below_once) {
  below_->values["key"] = {"value", 7};
  EXPECT_EQ(read("key"), "value");
  EXPECT_EQ(read("key"), "value");
  EXPECT_EQ(read("other"), "absent");
  EXPECT_EQ(read("other"), "absent");
  EXPECT_EQ(below_->reads, 2);
  auto many = store_->get_many({"key", "third", "other"});
  ASSERT_TRUE(many);
  EXPECT_EQ((*many)[0]->version, 7u);
  EXPECT_FALSE((*many)[1]);
  EXPECT_EQ(below_->reads, 3);
}

TEST_F(CachingStoreTest, a_write_replaces_what_is_kept) {
  EXPECT_EQ(read("key"), "absent");
  ASSERT_TRUE(store_->write(one("key", "first"), 1));
  EXPECT_EQ(read("key"), "first");
  ASSERT_TRUE(store_->write(one("key", "second"), 2));
  EXPECT_EQ((*store_->get("key"))->version, 2u);
  WriteSet erasing;
  erasing.erase("key");
  ASSERT_TRUE(store_->write(erasing, 3));
  EXPECT_EQ(read("key"), "absent");
  EXPECT_EQ(below_->reads, 1);
}

TEST_F(CachingStoreTest, a_read_that_a_write_overtakes_is_not_kept) {
  below_->values["key"] = {"old", 1};
  below_->in_read = [&] { ASSERT_TRUE(store_->write(one("key", "new"), 2)); };
  EXPECT_EQ(read("key"), "old");
  EXPECT_EQ(read("key"), "new");
}

TEST_F(CachingStoreTest, a_read_while_a_write_is_under_way_is_not_kept) {
  below_->values["key"] = {"old", 1};
  below_->in_write = [&] { EXPECT_EQ(read("key"), "old"); };
  ASSERT_TRUE(store_->write(one("key", "new"), 2));
  EXPECT_EQ(read("key"), "new");
}

TEST_F(CachingStoreTest, a_write_that_fails_leaves_the_old_row) {
  below_->values["key"] = {"old", 1};
  EXPECT_EQ(read("key"), "old");
  below_->full = true;
  EXPECT_EQ(store_->write(one("key", "new"), 2).error().code, Code::kNoSpace);
  EXPECT_EQ(read("key"), "old");
}

TEST_F(CachingStoreTest, memory_has_a_bound_and_rows_in_use_stay) {
  constexpr size_t kBytes = 64u << 10;
  open(kBytes);
  below_->values["used"] = {"value", 1};
  EXPECT_EQ(read("used"), "value");
  for (int i = 0; i < 10'000; ++i) {
    read(fmt::format("key-{}", i));
    if (i % 4 == 0) read("used");
    ASSERT_LE(store_->bytes(), kBytes);
  }
  EXPECT_GT(store_->bytes(), kBytes / 4);
  const int before = below_->reads;
  read("used");
  EXPECT_EQ(below_->reads, before);
}

TEST_F(CachingStoreTest, a_row_that_is_too_big_is_not_kept) {
  ASSERT_TRUE(store_->write(one("key", Bytes(60'000, 'x')), 1));
  EXPECT_EQ(read("key").size(), 60'000u);
  EXPECT_EQ(read("key").size(), 60'000u);
  EXPECT_EQ(below_->reads, 2);
  EXPECT_EQ(store_->bytes(), 0u);
}

}  // namespace
}  // namespace weir::kv
