#include <gtest/gtest.h>

#include "meta/volume_testing.h"

namespace weir::meta {
namespace {

/// Two nodes; what the second one does is behind the back of the first one's engine, which recalls all that it read.
class RecallNamesTest : public ::testing::Test {
 protected:
  RecallNamesTest() {
    test_.faulty()->set_rates({});
    auto other = Volume::open(test_.faulty()->inner(), NodeId{2}, test_.clock(), random_);
    if (!other) check_failed(__FILE__, __LINE__, "Volume::open", other.error().what);
    other_ = std::move(*other);
  }

  Volume& here() { return test_.volume(); }
  Volume& other() { return *other_; }
  static InodeId made(Volume& volume, const std::string& name, FileType type = FileType::kFile) {
    NewInode wanted;
    wanted.type = type;
    wanted.mode = 0755;
    return value_of(make(volume, {}, kRootInode, name, wanted)).id;
  }
  template <class T>
  static std::string outcome(const Result<T>& result) {
    return result ? "ok" : std::string(code_name(result.error().code));
  }

  TestVolume test_{EngineKind::kFaulty};
  SystemRandom random_;
  std::unique_ptr<Volume> other_;
};

TEST_F(RecallNamesTest, unlink_removes_what_the_name_stands_for_now) {
  made(here(), "a");
  value_of(lookup(here(), kRootInode, "a"));
  value_of(unlink(other(), {}, kRootInode, "a", {}));
  const InodeId second = made(other(), "a");
  EXPECT_EQ(value_of(unlink(here(), {}, kRootInode, "a", {})).inode.id, second);
  EXPECT_EQ(outcome(lookup(other(), kRootInode, "a")), "not_found");
}

TEST_F(RecallNamesTest, a_name_that_another_node_removed_is_absent) {
  made(here(), "a");
  made(here(), "b");
  value_of(unlink(other(), {}, kRootInode, "a", {}));
  value_of(unlink(other(), {}, kRootInode, "b", {}));
  EXPECT_EQ(outcome(unlink(here(), {}, kRootInode, "a", {})), "not_found");
  EXPECT_EQ(outcome(rename(here(), {}, kRootInode, "b", kRootInode, "c", {}, {})), "not_found");
  EXPECT_EQ(outcome(lookup(here(), kRootInode, "c")), "not_found");
}

TEST_F(RecallNamesTest, a_name_that_another_node_made_exists) {
  EXPECT_EQ(outcome(lookup(here(), kRootInode, "a")), "not_found");
  made(here(), "b");
  made(other(), "a");
  EXPECT_EQ(outcome(make(here(), {}, kRootInode, "a", {})), "exists");
  value_of(unlink(other(), {}, kRootInode, "a", {}));
  EXPECT_EQ(outcome(make(here(), {}, kRootInode, "a", {})), "ok");
}

TEST_F(RecallNamesTest, nothing_is_made_in_a_directory_that_another_node_removed) {
  const InodeId directory = made(here(), "directory", FileType::kDirectory);
  value_of(make(here(), {}, directory, "a", {}));
  value_of(unlink(here(), {}, directory, "a", {}));
  value_of(remove_directory(other(), {}, kRootInode, "directory", {}));
  EXPECT_EQ(outcome(make(here(), {}, directory, "b", {})), "not_found");
}

TEST_F(RecallNamesTest, attributes_that_another_node_set_stay) {
  const InodeId file = made(here(), "a");
  AttributeChange owner, mode;
  owner.uid = 7;
  mode.mode = 0600;
  value_of(set_attributes(other(), {}, file, owner));
  const Inode changed = value_of(set_attributes(here(), {}, file, mode));
  EXPECT_EQ(changed.uid, 7u);
  EXPECT_EQ(changed.mode, 0600u);
}

}  // namespace
}  // namespace weir::meta
