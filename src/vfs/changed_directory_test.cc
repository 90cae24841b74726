// A program that changes a directory again and again, on a volume whose metadata other nodes change as well.
#include <gtest/gtest.h>

#include <memory>
#include <utility>

#include "vfs/nodes_fixture.h"

namespace weir::vfs {
namespace {

/// Counts what would be round trips.
class CountingTransaction final : public kv::Transaction {
 public:
  CountingTransaction(std::unique_ptr<kv::Transaction> inner, int& reads) : inner_(std::move(inner)), reads_(reads) {}
  Result<kv::ReadAnswer> read(const kv::ReadBatch& batch) override {
    ++reads_;
    return inner_->read(batch);
  }
  std::optional<kv::ReadAnswer> recall(const kv::ReadBatch& batch) override { return inner_->recall(batch); }
  void expect(std::string_view key, kv::Version version) override { inner_->expect(key, version); }
  Status fence(std::string_view key) override { return inner_->fence(key); }
  void put(std::string_view key, std::string_view bytes) override { inner_->put(key, bytes); }
  void erase(std::string_view key) override { inner_->erase(key); }
  const kv::WriteSet& writes() const override { return inner_->writes(); }
  Result<kv::Version> commit() override { return inner_->commit(); }

 private:
  std::unique_ptr<kv::Transaction> inner_;
  int& reads_;
};

class CountingEngine final : public kv::Engine {
 public:
  CountingEngine(kv::Engine& inner, int& reads) : inner_(inner), reads_(reads) {}
  std::unique_ptr<kv::Transaction> begin() override {
    return std::make_unique<CountingTransaction>(inner_.begin(), reads_);
  }
  Status barrier() override { return inner_.barrier(); }
  kv::Capabilities capabilities() const override { return {.shared = true}; }
  std::string name() const override { return inner_.name(); }

 private:
  kv::Engine& inner_;
  int& reads_;
};

class ChangedDirectoryTest : public ::testing::Test {
 protected:
  static VolumeOptions options_of(SharedParts& parts, int& reads) {
    VolumeOptions options;
    options.shared = &parts;
    options.around = [&reads](kv::Engine& engine) { return std::make_unique<CountingEngine>(engine, reads); };
    options.filesystem.shared = true;
    return options;
  }
  Attributes root() { return TestVolume::must(volume_.fs().get_attributes(root_, volume_.caller())); }
  void make(const std::string& name) {
    volume_.release(TestVolume::must(volume_.create_file(name, O_WRONLY)).opened.handle);
  }

  SharedParts parts_;
  int reads_ = 0;
  TestVolume volume_{options_of(parts_, reads_)};
  const KernelNode root_ = KernelNode::of(kRootInode, 0);
};

TEST_F(ChangedDirectoryTest, its_attributes_are_right_after_each_change_without_being_read_each_time) {
  const uint64_t empty = root().size;
  make("a");
  make("b");
  for (int round = 0; round < 3; ++round) {
    const std::string name = "name" + std::to_string(round);
    make(name);
    reads_ = 0;
    EXPECT_EQ(root().size, empty + 3);
    EXPECT_TRUE(root().fleeting);
    EXPECT_EQ(reads_, 0);
    EXPECT_DONE(volume_.fs().unlink(volume_.caller(), root_, name));
    EXPECT_EQ(root().size, empty + 2);
  }
  SetAttributes mode;
  mode.mode = 0700;
  EXPECT_EQ(TestVolume::must(volume_.fs().set_attributes(volume_.caller(), root_, mode)).mode & 0777, 0700u);
  EXPECT_EQ(root().mode & 0777, 0700u);
}

TEST_F(ChangedDirectoryTest, what_the_kernel_may_keep_was_read) {
  root();
  usleep((limits::kRecentDirectoryMs + 10) * 1000);
  reads_ = 0;
  EXPECT_FALSE(root().fleeting);
  EXPECT_EQ(reads_, 1);
}

}  // namespace
}  // namespace weir::vfs
