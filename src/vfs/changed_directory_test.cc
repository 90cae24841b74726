// A program that changes a directory again and again, on a volume whose metadata other nodes change as well.
#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <thread>
#include <utility>

#include "base/limits.h"
#include "kv/wrapped_engine.h"
#include "vfs/nodes_fixture.h"

namespace weir::vfs {
namespace {

/// Counts what would be round trips.
class CountingTransaction final : public kv::WrappedTransaction {
 public:
  CountingTransaction(std::unique_ptr<kv::Transaction> inner, int& reads)
      : WrappedTransaction(std::move(inner)), reads_(reads) {}
  Result<kv::ReadAnswer> read(const kv::ReadBatch& batch) override {
    ++reads_;
    return inner_->read(batch);
  }

 private:
  int& reads_;
};

/// Passed off as one that other machines use too.
class CountingEngine final : public kv::WrappedEngine {
 public:
  CountingEngine(kv::Engine& inner, int& reads) : WrappedEngine(inner), reads_(reads) {}
  std::unique_ptr<kv::Transaction> begin() override {
    return std::make_unique<CountingTransaction>(inner_.begin(), reads_);
  }
  kv::Capabilities capabilities() const override { return {.shared = true}; }

 private:
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

  static void forget() { std::this_thread::sleep_for(std::chrono::milliseconds(limits::kRecentDirectoryMs + 10)); }

  SharedParts parts_;
  int reads_ = 0;
  TestVolume volume_{options_of(parts_, reads_)};
  const KernelNode root_ = KernelNode::of(kRootInode, 0);
  SystemClock clock_;
};

TEST_F(ChangedDirectoryTest, its_attributes_are_right_after_each_change_without_being_read_each_time) {
  const uint64_t empty = root().size;
  int rounds_in_time = 0;
  for (int round = 0; round < 20 && rounds_in_time < 3; ++round) {
    forget();
    const int64_t begun_ns = clock_.monotonic_ns();
    EXPECT_EQ(root().size, empty);
    make("name");
    reads_ = 0;
    const Attributes made = root();
    EXPECT_EQ(made.size, empty + 1);
    // A machine may take so long for that that it must be read again.
    if (clock_.monotonic_ns() - begun_ns < limits::kRecentDirectoryMs * 1'000'000) {
      EXPECT_EQ(reads_, 0);
      EXPECT_TRUE(made.fleeting);
      ++rounds_in_time;
    }
    EXPECT_DONE(volume_.fs().unlink(volume_.caller(), root_, "name"));
    EXPECT_EQ(root().size, empty);
  }
  EXPECT_GT(rounds_in_time, 0);
  SetAttributes mode;
  mode.mode = 0700;
  EXPECT_EQ(TestVolume::must(volume_.fs().set_attributes(volume_.caller(), root_, mode)).mode & 0777, 0700u);
  EXPECT_EQ(root().mode & 0777, 0700u);
}

TEST_F(ChangedDirectoryTest, what_the_kernel_may_keep_was_read) {
  root();
  forget();
  reads_ = 0;
  EXPECT_FALSE(root().fleeting);
  EXPECT_EQ(reads_, 1);
}

}  // namespace
}  // namespace weir::vfs
