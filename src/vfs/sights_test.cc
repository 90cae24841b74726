#include "vfs/sights.h"

#include <gtest/gtest.h>

#include <map>
#include <optional>
#include <vector>

#include "base/random.h"

namespace weir::vfs {
namespace {

TEST(SightsTest, readers_of_a_file_that_became_complete_get_another_node_id) {
  Sights sights;
  EXPECT_FALSE(sights.can_move());
  sights.of(0).opened(OpenMode::kCached);
  ASSERT_TRUE(sights.can_move());
  sights.move();
  EXPECT_EQ(sights.current(), 1);
  EXPECT_TRUE(sights.now().none());
  EXPECT_FALSE(sights.none());
  EXPECT_FALSE(sights.can_move());
  sights.of(1).opened(OpenMode::kPass);
  EXPECT_TRUE(sights.passing());
  EXPECT_EQ(sights.others(1), std::vector<uint16_t>({0}));
  EXPECT_EQ(sights.others(0), std::vector<uint16_t>({1}));
}

TEST(SightsTest, a_former_one_is_forgotten_when_nothing_is_left_of_it) {
  Sights sights;
  sights.of(0).opened(OpenMode::kCached);
  sights.move();
  sights.of(1).opened(OpenMode::kPass);
  sights.dropped(0);
  EXPECT_TRUE(sights.is_known(0));
  sights.of(0).closed(OpenMode::kCached);
  EXPECT_TRUE(sights.is_known(0));  // the kernel may have kept pages
  sights.dropped(0);
  EXPECT_FALSE(sights.is_known(0));
  EXPECT_TRUE(sights.others(1).empty());
}

TEST(SightsTest, restored_descriptors_are_of_the_latest_epoch_or_of_former_ones) {
  Sights sights;
  sights.restored(1, OpenMode::kPass);
  sights.restored(0, OpenMode::kCached);
  sights.restored(1, OpenMode::kPass);
  EXPECT_EQ(sights.current(), 1);
  EXPECT_TRUE(sights.passing());
  EXPECT_EQ(sights.others(1), std::vector<uint16_t>({0}));
}

/// The page caches of one inode's node ids, and a program that has it open again and again. The file is forgotten
/// whenever nobody has it open, as the table of files does.
class KernelPages {
 public:
  explicit KernelPages(uint64_t seed) : random_(seed) {}

  void step() {
    switch (random_.below(6)) {
      case 0:
      case 1: return open();
      case 2: return close();
      case 3: return change();
      case 4: return read();
      case 5: return become_complete();
    }
  }

 private:
  struct Descriptor {
    uint16_t epoch;
    OpenMode mode;
  };

  void open() {
    // By the name, or by a node id that something in the kernel still has.
    const bool by_name = random_.below(3) != 0;
    const auto epoch = by_name ? sights_.current() : static_cast<uint16_t>(random_.below(known_ + 1u));
    if (sights_.none()) sights_.adopt(epoch);
    const bool keep_pages = epoch == 0 || !sights_.of(epoch).none();
    const OpenModes::Wish wish{.reads = true, .complete = epoch == sights_.current() && random_.below(2) == 0};
    const OpenMode mode = sights_.of(epoch).next(wish);
    sights_.of(epoch).opened(mode);
    if (!keep_pages) pages_.erase(epoch);
    open_.push_back({epoch, mode});
  }
  void close() {
    if (open_.empty()) return;
    const size_t which = random_.below(open_.size());
    sights_.of(open_[which].epoch).closed(open_[which].mode);
    open_.erase(open_.begin() + static_cast<ptrdiff_t>(which));
    if (open_.empty() && random_.below(2) == 0) sights_ = Sights();
  }
  void change() {
    if (open_.empty()) return;
    const Descriptor& writer = open_[random_.below(open_.size())];
    ++version_;
    // The kernel keeps the pages of the node id itself right.
    pages_.erase(writer.epoch);
    if (writer.mode == OpenMode::kCached) pages_[writer.epoch] = version_;
    for (const uint16_t other : sights_.others(writer.epoch)) {
      pages_.erase(other);
      sights_.dropped(other);
    }
  }
  void read() {
    if (open_.empty()) return;
    const Descriptor& reader = open_[random_.below(open_.size())];
    if (reader.mode != OpenMode::kCached) return;
    const uint64_t seen = pages_.try_emplace(reader.epoch, version_).first->second;
    ASSERT_EQ(seen, version_) << "through epoch " << reader.epoch << " of " << sights_.current();
  }
  void become_complete() {
    if (!sights_.can_move()) return;
    sights_.move();
    known_ = std::max(known_, sights_.current());
  }

  SeededRandom random_;
  Sights sights_;
  std::vector<Descriptor> open_;
  std::map<uint16_t, uint64_t> pages_;  // of each node id: which version of the file they show
  uint64_t version_ = 1;
  uint16_t known_ = 0;
};

TEST(SightsTest, no_page_of_the_past_is_ever_read) {
  for (uint64_t seed = 1; seed <= 500 && !HasFatalFailure(); ++seed) {
    SCOPED_TRACE(seed);
    KernelPages kernel(seed);
    for (int step = 0; step < 400 && !HasFatalFailure(); ++step) kernel.step();
  }
}

}  // namespace
}  // namespace weir::vfs
