// A file of 1 TiB is published, changed and given up in transactions of bounded size.
#include <gtest/gtest.h>

#include "base/limits.h"
#include "kv/memory/memory_engine.h"
#include "kv/wrapped_engine.h"
#include "meta/content_testing.h"

namespace weir::meta {
namespace {

/// Adds up what each transaction writes.
class MeasuringEngine : public kv::Engine {
 public:
  std::unique_ptr<kv::Transaction> begin() override { return std::make_unique<Measured>(*this, engine_.begin()); }
  Status barrier() override { return engine_.barrier(); }
  kv::Capabilities capabilities() const override { return engine_.capabilities(); }
  std::string name() const override { return engine_.name(); }

  size_t take_largest() { return std::exchange(largest_bytes_, 0); }
  size_t take_commits() { return std::exchange(commits_, 0); }

 private:
  class Measured : public kv::WrappedTransaction {
   public:
    Measured(MeasuringEngine& engine, std::unique_ptr<kv::Transaction> inner)
        : WrappedTransaction(std::move(inner)), engine_(engine) {}
    void put(std::string_view key, std::string_view bytes) override {
      bytes_ += key.size() + bytes.size();
      inner_->put(key, bytes);
    }
    void erase(std::string_view key) override {
      bytes_ += key.size();
      inner_->erase(key);
    }
    Result<kv::Version> commit() override {
      engine_.largest_bytes_ = std::max(engine_.largest_bytes_, bytes_);
      ++engine_.commits_;
      return inner_->commit();
    }

   private:
    MeasuringEngine& engine_;
    size_t bytes_ = 0;
  };

  kv::MemoryEngine engine_;
  size_t largest_bytes_ = 0;
  size_t commits_ = 0;
};

constexpr uint64_t kTebibyte = uint64_t{1} << 40;
constexpr uint64_t kPages = kTebibyte / (limits::kPageChunkIds * kChunk);
constexpr uint64_t kFullPages = 16;
constexpr size_t kLimitBytes = limits::kTransactionBytes / 4;  // of the megabyte that an engine takes
static_assert(kPages == 256);

class HugeFileTest : public ::testing::Test {
 protected:
  HugeFileTest() {
    VolumeSettings settings;
    settings.volume_id = "00112233445566778899aabbccddeeff";
    succeed(Volume::format(engine_, settings, 0, 0, clock_));
    volume_ = value_of(Volume::open(engine_, NodeId{1}, clock_, random_));
    file_ = value_of(make(*volume_, {}, kRootInode, "file", {.type = FileType::kFile, .mode = 0644})).id;
    engine_.take_largest();
    engine_.take_commits();
  }
  static void add_chunk(Publish& change, uint64_t index, std::string_view what) {
    change.changes.push_back({index, chunk_named(fmt::format("{} {}", what, index)), true});
  }
  Inode publish_it(const Publish& change) { return value_of(publish(*volume_, {}, change)).inode; }
  CollectReport collect_all() {
    return value_of(collect(
        *volume_, true, [](std::span<const std::string>) { return Status(); }, nullptr));
  }
  size_t rows_of(keys::Tag tag) { return value_of(engine_.begin()->scan(keys::all_of(tag), 1000)).size(); }

  testing::FakeClock clock_;
  SystemRandom random_;
  MeasuringEngine engine_;
  std::unique_ptr<Volume> volume_;
  InodeId file_;
};

TEST_F(HugeFileTest, no_step_of_its_life_is_a_large_transaction) {
  Publish sparse{.inode = file_, .replaces = true, .size = kTebibyte};
  for (uint64_t page = 0; page < kPages; ++page) {
    const uint64_t count = page < kFullPages ? limits::kPageChunkIds : 1;
    for (uint64_t i = 0; i < count; ++i) add_chunk(sparse, page * limits::kPageChunkIds + i, "first");
  }
  Inode now = publish_it(sparse);
  EXPECT_EQ(now.content.pages.size(), kPages);
  EXPECT_GE(engine_.take_commits(), kPages);
  size_t largest = engine_.take_largest();
  EXPECT_LT(largest, kLimitBytes);
  EXPECT_GT(largest, limits::kPageChunkIds * 3 * sizeof(ChunkId)) << "a full page has three rows a chunk";

  Publish everywhere{.inode = file_, .base_generation = now.generation, .size = kTebibyte};
  for (uint64_t page = 0; page < kPages; ++page) add_chunk(everywhere, page * limits::kPageChunkIds + 7, "second");
  now = publish_it(everywhere);
  EXPECT_GE(engine_.take_commits(), kPages);
  EXPECT_LT(engine_.take_largest(), kLimitBytes);
  EXPECT_EQ(value_of(load_chunks(*volume_, now))[limits::kPageChunkIds * 100 + 7],
            chunk_named(fmt::format("second {}", limits::kPageChunkIds * 100 + 7)));

  publish_it({.inode = file_, .size = 5, .inline_bytes = Bytes("small")});
  EXPECT_LT(engine_.take_largest(), kLimitBytes);
  for (int run = 0; run < 5 && rows_of(keys::kChunk) > 0; ++run) collect_all();
  EXPECT_EQ(rows_of(keys::kPage) + rows_of(keys::kReference) + rows_of(keys::kChunk), 0u);
  EXPECT_LT(engine_.take_largest(), kLimitBytes);
}

}  // namespace
}  // namespace weir::meta
