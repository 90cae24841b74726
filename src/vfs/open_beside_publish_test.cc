// An open() that reads the metadata just before another program of the same node publishes and closes the file.
#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <utility>

#include "kv/wrapped_engine.h"
#include "vfs/nodes_fixture.h"

namespace weir::vfs {
namespace {

/// Does `meanwhile` once, when rows were read and before the reader has them.
struct Pause {
  std::function<void()> meanwhile;
  void pass() {
    if (auto action = std::exchange(meanwhile, nullptr)) action();
  }
};

class PausingTransaction final : public kv::WrappedTransaction {
 public:
  PausingTransaction(std::unique_ptr<kv::Transaction> inner, Pause& pause)
      : WrappedTransaction(std::move(inner)), pause_(pause) {}
  Result<kv::ReadAnswer> read(const kv::ReadBatch& batch) override {
    auto answer = inner_->read(batch);
    pause_.pass();
    return answer;
  }

 private:
  Pause& pause_;
};

class PausingEngine final : public kv::WrappedEngine {
 public:
  PausingEngine(kv::Engine& inner, Pause& pause) : WrappedEngine(inner), pause_(pause) {}
  std::unique_ptr<kv::Transaction> begin() override {
    return std::make_unique<PausingTransaction>(inner_.begin(), pause_);
  }

 private:
  Pause& pause_;
};

class OpenBesidePublishTest : public ::testing::Test {
 protected:
  static VolumeOptions options_of(SharedParts& parts, Pause& pause) {
    VolumeOptions options;
    options.shared = &parts;
    options.around = [&pause](kv::Engine& engine) { return std::make_unique<PausingEngine>(engine, pause); };
    options.filesystem.shared = true;
    options.filesystem.lifetimes = {.entry_ms = 1000, .attributes_ms = 1000, .absent_ms = 0};
    return options;
  }

  SharedParts parts_;
  Pause pause_;
  TestVolume volume_{options_of(parts_, pause_)};
};

/// stat() showed a new file empty, after it had been written and closed by the program that asked.
TEST_F(OpenBesidePublishTest, what_was_read_before_the_publish_is_not_taken_for_what_is_open_after_it) {
  const CreatedFile created = TestVolume::must(volume_.create_file("file", O_WRONLY));
  EXPECT_DONE(volume_.write(created.opened.handle, 0, "content"));
  pause_.meanwhile = [&] { EXPECT_DONE(volume_.close(created.opened.handle)); };
  const KernelNode node = created.entry.node;
  const auto reader = TestVolume::must(volume_.fs().open(volume_.caller(), node, O_RDONLY));
  EXPECT_FALSE(pause_.meanwhile);
  EXPECT_EQ(TestVolume::must(volume_.fs().get_attributes(node, volume_.caller())).size, 7u);
  EXPECT_EQ(volume_.read(reader.handle, 0, 100).value(), "content");
  volume_.release(reader.handle);
}

}  // namespace
}  // namespace weir::vfs
