#include "meta/recent_directories.h"

#include <gtest/gtest.h>

#include "base/limits.h"
#include "kv/wrapped_engine.h"
#include "meta/attributes.h"
#include "meta/keys.h"
#include "meta/volume_testing.h"

namespace weir::meta {
namespace {

constexpr InodeId kDirectory{7};

class RecentDirectoriesTest : public ::testing::Test {
 protected:
  static Bytes row(uint32_t mode, uint32_t links = 2) {
    Inode inode;
    inode.id = kDirectory;
    inode.type = FileType::kDirectory;
    inode.mode = mode;
    inode.link_count = links;
    return inode.encode();
  }
  static Bytes delta(int64_t entries) {
    DirectoryDelta delta;
    delta.entries = entries;
    return delta.encode();
  }
  static Bytes delta_key(uint32_t slot) { return keys::delta(kDirectory, NodeId{1}, slot); }
  static kv::WriteSet writes_of(uint32_t slot, int64_t entries) {
    kv::WriteSet writes;
    writes.put(delta_key(slot), delta(entries));
    writes.put(keys::slot(NodeId{1}, slot), "not of a directory");
    return writes;
  }
  void learn(RecentDirectories::Ticket ticket, int64_t entries = 3) {
    recent_.learned(kDirectory, ticket, {row(0755), 10}, {{delta_key(0), delta(entries), 10}});
  }
  void change(const kv::WriteSet& writes, kv::Version version) {
    const auto changed = RecentDirectories::changed_by(writes);
    recent_.begin_change(changed);
    recent_.committed(changed, writes, version);
  }
  std::string shown() {
    const auto inode = recent_.known(kDirectory);
    return inode ? std::to_string(inode->size) + " " + std::to_string(inode->mode & 7) : "nothing";
  }

  testing::FakeClock clock_;
  RecentDirectories recent_{clock_};
};

TEST_F(RecentDirectoriesTest, what_was_read_is_known_for_a_while) {
  EXPECT_EQ(shown(), "nothing");
  const auto ticket = recent_.begin_read(kDirectory);
  clock_.advance_ms(limits::kRecentDirectoryMs - 1);
  EXPECT_EQ(shown(), "nothing");
  learn(ticket);
  EXPECT_EQ(shown(), "3 5");
  clock_.advance_ms(1);
  EXPECT_EQ(shown(), "nothing");
}

TEST_F(RecentDirectoriesTest, what_is_changed_here_is_known_at_once) {
  learn(recent_.begin_read(kDirectory));
  change(writes_of(0, 4), 11);
  EXPECT_EQ(shown(), "4 5");
  change(writes_of(1, 2), 12);
  EXPECT_EQ(shown(), "6 5");
  kv::WriteSet mode;
  mode.put(keys::inode(kDirectory), row(0700));
  change(mode, 13);
  EXPECT_EQ(shown(), "6 0");
  kv::WriteSet gone;
  gone.erase(keys::inode(kDirectory));
  change(gone, 14);
  EXPECT_EQ(shown(), "nothing");
}

TEST_F(RecentDirectoriesTest, of_two_commits_the_later_one_stays) {
  learn(recent_.begin_read(kDirectory));
  kv::WriteSet first, second;
  first.put(keys::inode(kDirectory), row(0701));
  second.put(keys::inode(kDirectory), row(0702));
  change(second, 12);
  change(first, 11);
  EXPECT_EQ(shown(), "3 2");
}

TEST_F(RecentDirectoriesTest, a_read_beside_a_change_of_this_node_is_not_believed) {
  const auto before = recent_.begin_read(kDirectory);
  change(writes_of(0, 4), 11);
  learn(before);
  EXPECT_EQ(shown(), "nothing");

  const auto writes = writes_of(0, 5);
  const auto changed = RecentDirectories::changed_by(writes);
  recent_.begin_change(changed);
  const auto during = recent_.begin_read(kDirectory);
  learn(during);
  EXPECT_EQ(shown(), "nothing");
  recent_.committed(changed, writes, 12);
  learn(during);
  EXPECT_EQ(shown(), "nothing");
  learn(recent_.begin_read(kDirectory), 5);
  EXPECT_EQ(shown(), "5 5");
}

TEST_F(RecentDirectoriesTest, after_a_change_of_which_the_outcome_is_not_known_it_is_read_again) {
  learn(recent_.begin_read(kDirectory));
  const auto changed = RecentDirectories::changed_by(writes_of(0, 4));
  recent_.begin_change(changed);
  EXPECT_EQ(shown(), "3 5");
  recent_.not_committed(changed);
  EXPECT_EQ(shown(), "nothing");
  // It was read, and then it turned out that the change had happened behind that.
  learn(recent_.begin_read(kDirectory));
  const auto reading = recent_.begin_read(kDirectory);
  recent_.forget_all();
  EXPECT_EQ(shown(), "nothing");
  learn(reading);
  EXPECT_EQ(shown(), "nothing");
}

TEST_F(RecentDirectoriesTest, a_removed_directory_is_not_known) {
  recent_.learned(kDirectory, recent_.begin_read(kDirectory), {row(0755, 0), 10}, {});
  EXPECT_EQ(shown(), "nothing");
}

TEST_F(RecentDirectoriesTest, they_are_bounded_but_for_those_that_change) {
  const auto changed = RecentDirectories::changed_by(writes_of(0, 4));
  recent_.begin_change(changed);
  for (uint64_t i = 0; i < 3 * limits::kRecentDirectories; ++i) {
    const InodeId id{100 + i};
    recent_.learned(id, recent_.begin_read(id), {row(0755), 10}, {});
  }
  EXPECT_FALSE(recent_.known(InodeId{100}));
  EXPECT_TRUE(recent_.known(InodeId{100 + 3 * limits::kRecentDirectories - 1}));
  recent_.committed(changed, writes_of(0, 4), 11);
  EXPECT_EQ(shown(), "nothing");
}

/// Two nodes on one server.
class RecentDirectoryTest : public ::testing::Test {
 protected:
  RecentDirectoryTest() { other_ = value_of(Volume::open(test_.engine(), NodeId{2}, test_.clock(), random_)); }
  uint64_t recent_size() {
    const auto recent = recent_directory(test_.volume(), kRootInode);
    return recent ? recent->size : 1000;
  }

  TestVolume test_{EngineKind::kPostgres};
  SystemRandom random_;
  std::unique_ptr<Volume> other_;
};

TEST_F(RecentDirectoryTest, what_another_node_does_is_seen_when_it_is_read_again) {
  EXPECT_EQ(recent_size(), 1000u);
  EXPECT_EQ(value_of(get_inode(test_.volume(), kRootInode)).size, 0u);
  value_of(make(test_.volume(), {}, kRootInode, "mine", {}));
  EXPECT_EQ(recent_size(), 1u);
  value_of(make(*other_, {}, kRootInode, "theirs", {}));
  EXPECT_EQ(recent_size(), 1u);
  test_.clock().advance_ms(limits::kRecentDirectoryMs);
  EXPECT_EQ(recent_size(), 1000u);
  EXPECT_EQ(value_of(get_inode(test_.volume(), kRootInode)).size, 2u);
  EXPECT_EQ(recent_size(), 2u);
}

/// Passed off as one that other nodes use too.
class SharedEngine final : public kv::WrappedEngine {
 public:
  using WrappedEngine::WrappedEngine;
  kv::Capabilities capabilities() const override { return {.shared = true}; }
};

TEST(RecentDirectoriesWithFaults, they_agree_with_what_is_there_after_conflicts_and_lost_replies) {
  for (uint64_t seed = 1; seed <= 10; ++seed) {
    SCOPED_TRACE(seed);
    TestVolume test(EngineKind::kFaulty, seed);
    SharedEngine engine(test.engine());
    SystemRandom random;
    const auto volume = value_of(Volume::open(engine, NodeId{2}, test.clock(), random));
    int known = 0;
    for (int i = 0; i < 100; ++i) {
      const std::string name = std::to_string(i / 2);
      if (i % 2 == 0) {
        value_of(make(*volume, {}, kRootInode, name, {}));
      } else {
        value_of(unlink(*volume, {}, kRootInode, name, nothing_open));
      }
      const auto recent = recent_directory(*volume, kRootInode);
      const Inode now = value_of(get_inode(*volume, kRootInode));
      EXPECT_EQ(now.size, static_cast<uint64_t>(1 - i % 2));
      if (!recent) continue;
      EXPECT_EQ(recent->encode(), now.encode());
      ++known;
    }
    EXPECT_GT(known, 10);
    EXPECT_LT(known, 100);
  }
}

}  // namespace
}  // namespace weir::meta
