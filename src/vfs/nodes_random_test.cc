// Random calls on two nodes, one after the other: each open() shows what was closed last, wherever that was, and each
// descriptor goes on showing what it should.
#include <gtest/gtest.h>

#include <set>
#include <vector>

#include "base/random.h"
#include "vfs/nodes_fixture.h"

namespace weir::vfs {
namespace {

class RandomNodes {
 public:
  explicit RandomNodes(uint64_t seed) : random_(seed) {}

  void step() {
    TestNode& node = random_.below(2) == 0 ? nodes_.a : nodes_.b;
    switch (random_.below(9)) {
      case 0:
      case 1: return write_whole(node);
      case 2: return open(node);
      case 3: return close();
      case 4: return read_open();
      case 5: return rename(node);
      case 6: return unlink(node);
      case 7: return node.expire();
      case 8: return read_by_name(node);
    }
  }
  void check_all() {
    for (TestNode* node : {&nodes_.a, &nodes_.b})
      for (const auto& [name, content] : files_) ASSERT_EQ(node->get(name), content) << name;
  }
  void close_all() {
    while (!open_.empty()) close();
  }

 private:
  struct Open {
    TestNode* node;
    TestNode::Descriptor descriptor;
    Bytes content;
  };

  std::string any_name() { return fmt::format("f{}", random_.below(3)); }
  Bytes any_content() {
    constexpr uint64_t kSizesMax[] = {10, 4'000, 4'200, 60'000};
    return pattern(static_cast<int>(++written_), 1 + random_.below(kSizesMax[random_.below(4)]));
  }

  void write_whole(TestNode& node) {
    const std::string name = any_name();
    const Bytes content = any_content();
    // Who has it open on this node sees it too, unless that is an older version. Left out here: readers of this node.
    for (const Open& open : open_)
      if (open.node == &node && files_.contains(name)) return;
    node.put(name, content);
    if (content.size() > limits::kInlineContentBytes) node.volume.drain();
    files_[name] = content;
  }
  void open(TestNode& node) {
    const std::string name = any_name();
    auto opened = node.open(name);
    ASSERT_EQ(opened.has_value(), files_.contains(name)) << name;
    if (opened) open_.push_back({&node, *opened, files_[name]});
  }
  void close() {
    if (open_.empty()) return;
    const size_t which = random_.below(open_.size());
    EXPECT_DONE(open_[which].node->close(open_[which].descriptor));
    open_.erase(open_.begin() + static_cast<ptrdiff_t>(which));
  }
  void read_open() {
    if (open_.empty()) return;
    const Open& open = open_[random_.below(open_.size())];
    ASSERT_EQ(open.node->read(open.descriptor), open.content);
    ASSERT_EQ(open.node->stat_size(open.descriptor), open.content.size());
  }
  void rename(TestNode& node) {
    const std::string from = any_name();
    const std::string to = any_name();
    if (from == to || !files_.contains(from)) return;
    node.rename(from, to);
    files_[to] = files_[from];
    files_.erase(from);
  }
  void unlink(TestNode& node) {
    const std::string name = any_name();
    if (!files_.contains(name)) return;
    node.unlink(name);
    files_.erase(name);
  }
  void read_by_name(TestNode& node) {
    const std::string name = any_name();
    if (files_.contains(name)) {
      ASSERT_EQ(node.get(name), files_[name]) << name;
    } else {
      EXPECT_FAILS(Code::kNotFound, node.open(name));
    }
  }

  SeededRandom random_;
  TwoNodes nodes_;
  std::map<std::string, Bytes> files_;
  std::vector<Open> open_;
  uint64_t written_ = 0;
};

class RandomNodesTest : public ::testing::TestWithParam<uint64_t> {};

TEST_P(RandomNodesTest, every_open_shows_what_was_closed_last) {
  RandomNodes nodes(GetParam());
  for (int i = 0; i < 400 && !HasFatalFailure(); ++i) {
    SCOPED_TRACE(i);
    nodes.step();
  }
  nodes.close_all();
  if (!HasFatalFailure()) nodes.check_all();
}

INSTANTIATE_TEST_SUITE_P(Seeds, RandomNodesTest, ::testing::Range(uint64_t{1}, uint64_t{7}));

}  // namespace
}  // namespace weir::vfs
