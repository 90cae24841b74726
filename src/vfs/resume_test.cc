#include <gtest/gtest.h>
#include <linux/falloc.h>

#include <set>

#include "meta/attributes.h"
#include "meta/slot_pool.h"
#include "model/chunk.h"
#include "testing/volume_fixture.h"

namespace weir::vfs {
namespace {

using testing::pattern;
using testing::TestVolume;
using testing::VolumeOptions;

constexpr size_t kLarge = (9u << 20) + 12'345;

VolumeOptions with_memory(SharedMemoryOptions memory = {
                              .requests = 4, .handles = 64, .contents = 8, .drafts = 16, .locks = 16}) {
  VolumeOptions options;
  options.filesystem.upload = false;
  options.filesystem.memory = TestVolume::must(SharedMemory::create(memory));
  return options;
}

std::optional<Code> code_of(const Status& status) { return status ? std::nullopt : std::optional(status.error().code); }

/// A daemon is killed, and another goes on with its memory and disk.
class ResumeTest : public ::testing::Test {
 protected:
  Bytes bytes_of(HandleId handle) { return TestVolume::must(volume_.read_all(handle)); }

  TestVolume volume_{with_memory()};
};

TEST_F(ResumeTest, small_writes_that_were_not_closed_go_on) {
  HandleId handle = volume_.create("file");
  EXPECT_DONE(volume_.write(handle, 0, "written "));
  volume_.kill_and_resume();
  EXPECT_DONE(volume_.write(handle, 8, "and more"));
  EXPECT_EQ(bytes_of(handle), "written and more");
  EXPECT_EQ(volume_.stat("file").size, 16u);
  EXPECT_DONE(volume_.close(handle));
  EXPECT_EQ(volume_.get("file").value(), "written and more");
}

TEST_F(ResumeTest, large_writes_that_were_not_closed_go_on) {
  Bytes content = pattern(1, kLarge);
  HandleId handle = volume_.create("file");
  EXPECT_DONE(volume_.write(handle, 0, content));
  volume_.kill_and_resume();
  EXPECT_EQ(volume_.stat("file").size, kLarge);
  EXPECT_DONE(volume_.write(handle, kLarge, "end"));
  volume_.kill_and_resume();
  EXPECT_EQ(bytes_of(handle), content + "end");
  EXPECT_DONE(volume_.close(handle));
  EXPECT_EQ(volume_.get("file").value(), content + "end");
}

TEST_F(ResumeTest, a_large_file_changed_in_place_has_old_and_new_bytes) {
  Bytes content = pattern(1, kLarge);
  EXPECT_DONE(volume_.put("file", content));
  HandleId handle = volume_.open("file");
  EXPECT_DONE(volume_.write(handle, 5u << 20, "changed"));
  content.replace(5u << 20, 7, "changed");
  volume_.kill_and_resume();
  EXPECT_EQ(bytes_of(handle), content);
  EXPECT_DONE(volume_.write(handle, 3, "also"));
  content.replace(3, 4, "also");
  volume_.kill_and_resume();
  EXPECT_DONE(volume_.close(handle));
  EXPECT_EQ(volume_.get("file").value(), content);
}

TEST_F(ResumeTest, a_file_that_was_cut_stays_cut) {
  for (uint64_t size : {uint64_t{0}, uint64_t{70'000}, uint64_t{4u << 20}, uint64_t{(4u << 20) + 7}}) {
    SCOPED_TRACE(size);
    EXPECT_DONE(volume_.put("file", pattern(2, kLarge)));
    HandleId handle = volume_.open("file");
    EXPECT_DONE(volume_.truncate("file", size));
    volume_.kill_and_resume();
    EXPECT_EQ(bytes_of(handle), pattern(2, kLarge).substr(0, size));
    // What was cut off does not come back when the file grows.
    EXPECT_DONE(volume_.truncate("file", size + 5'000'000));
    volume_.kill_and_resume();
    Bytes grown = pattern(2, kLarge).substr(0, size);
    grown.resize(size + 5'000'000, '\0');
    EXPECT_EQ(bytes_of(handle), grown);
    EXPECT_DONE(volume_.close(handle));
    EXPECT_EQ(volume_.get("file").value(), grown);
  }
}

TEST_F(ResumeTest, a_file_opened_with_truncation_is_empty_before_anything_is_written) {
  EXPECT_DONE(volume_.put("file", "old"));
  HandleId handle = volume_.open("file", O_RDWR | O_TRUNC);
  volume_.kill_and_resume();
  EXPECT_EQ(bytes_of(handle), "");
  EXPECT_DONE(volume_.close(handle));
  EXPECT_EQ(volume_.get("file").value(), "");
}

TEST_F(ResumeTest, holes_stay_holes) {
  Bytes content = pattern(3, 12u << 20);
  HandleId handle = volume_.create("file");
  EXPECT_DONE(volume_.write(handle, 0, content));
  EXPECT_DONE(volume_.allocate(handle, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 3u << 20, 6u << 20));
  content.replace(3u << 20, 6u << 20, Bytes(6u << 20, '\0'));
  volume_.kill_and_resume();
  EXPECT_EQ(bytes_of(handle), content);
  EXPECT_EQ(volume_.fs().seek(handle, 4u << 20, false).value(), 4u << 20);
  EXPECT_DONE(volume_.close(handle));
  EXPECT_EQ(volume_.get("file").value(), content);
}

TEST_F(ResumeTest, more_small_files_than_the_memory_has_room_for_go_on) {
  std::vector<HandleId> handles;
  for (int i = 0; i < 12; ++i) {
    handles.push_back(volume_.create("file" + std::to_string(i)));
    EXPECT_DONE(volume_.write(handles.back(), 0, "content " + std::to_string(i)));
  }
  volume_.kill_and_resume();
  for (int i = 0; i < 12; ++i) {
    EXPECT_EQ(bytes_of(handles[i]), "content " + std::to_string(i));
    EXPECT_DONE(volume_.close(handles[i]));
    EXPECT_EQ(volume_.get("file" + std::to_string(i)).value(), "content " + std::to_string(i));
  }
}

TEST_F(ResumeTest, what_was_published_is_not_taken_for_unpublished) {
  HandleId handle = volume_.create("file");
  EXPECT_DONE(volume_.write(handle, 0, pattern(4, kLarge)));
  EXPECT_DONE(volume_.flush(handle));
  volume_.kill_and_resume();
  EXPECT_DONE(volume_.put("file", "newer"));
  volume_.kill_and_resume();
  EXPECT_EQ(bytes_of(handle), "newer");
  EXPECT_DONE(volume_.close(handle));
  EXPECT_EQ(volume_.get("file").value(), "newer");
}

TEST_F(ResumeTest, times_that_were_set_stay) {
  HandleId handle = volume_.create("file");
  EXPECT_DONE(volume_.write(handle, 0, pattern(4, kLarge)));
  SetAttributes change;
  change.mtime_ns = 1'000'000'000;
  ASSERT_TRUE(volume_.fs().set_attributes(volume_.caller(), volume_.node("file"), change));
  volume_.kill_and_resume();
  EXPECT_EQ(volume_.stat("file").mtime_ns, 1'000'000'000);
  EXPECT_DONE(volume_.close(handle));
  EXPECT_EQ(volume_.stat("file").mtime_ns, 1'000'000'000);
}

TEST_F(ResumeTest, an_unlinked_file_lives_until_its_last_handle_goes) {
  HandleId handle = volume_.create("file");
  InodeId inode = volume_.inode("file");
  EXPECT_DONE(volume_.write(handle, 0, pattern(5, kLarge)));
  EXPECT_DONE(volume_.unlink("file"));
  volume_.kill_and_resume();
  EXPECT_EQ(bytes_of(handle), pattern(5, kLarge));
  EXPECT_DONE(volume_.write(handle, 0, "x"));
  EXPECT_DONE(volume_.close(handle));
  EXPECT_FALSE(meta::get_inode(volume_.volume(), inode));
}

TEST_F(ResumeTest, a_directory_that_is_being_read_is_read_on) {
  for (int i = 0; i < 20; ++i) EXPECT_DONE(volume_.put("file" + std::to_string(i), ""));
  std::set<std::string> seen;
  uint64_t cookie = 0;
  auto read = [&](size_t most) {
    size_t taken = 0;
    EXPECT_DONE(volume_.fs().read_directory(TestVolume::root(), cookie, false, [&](const DirectoryItem& item) {
      if (taken++ == most) return false;
      EXPECT_TRUE(seen.insert(item.name).second) << item.name;
      cookie = item.next_cookie;
      return true;
    }));
  };
  read(7);
  volume_.kill_and_resume();
  read(1000);
  EXPECT_EQ(seen.size(), 22u);
}

TEST_F(ResumeTest, locks_stay_held_by_their_owners) {
  HandleId handle = volume_.create("file");
  KernelNode node = volume_.node("file");
  auto set = [&](LockType type, uint64_t owner, uint64_t first, uint64_t last) {
    Status outcome;
    volume_.fs().set_lock(volume_.caller(), node, handle, {LockKind::kPosix, type, owner, first, last, 1}, false,
                          [&](const Status& done) { outcome = done; });
    return outcome;
  };
  EXPECT_DONE(set(LockType::kWrite, 1, 0, 99));
  EXPECT_DONE(set(LockType::kNone, 1, 40, 59));
  volume_.kill_and_resume();
  EXPECT_EQ(code_of(set(LockType::kWrite, 2, 30, 30)), Code::kWouldBlock);
  EXPECT_EQ(code_of(set(LockType::kRead, 2, 60, 60)), Code::kWouldBlock);
  EXPECT_DONE(set(LockType::kWrite, 2, 40, 59));
  EXPECT_DONE(set(LockType::kNone, 1, 0, 99));
  volume_.kill_and_resume();
  EXPECT_DONE(set(LockType::kWrite, 3, 0, 39));
  EXPECT_EQ(code_of(set(LockType::kWrite, 3, 59, 59)), Code::kWouldBlock);
}

// What the kernel's request was answered with is lost: it is made again, under the same number.
TEST_F(ResumeTest, requests_made_again_are_done_once) {
  volume_.volume().slots().hold_outcomes({});
  EXPECT_DONE(volume_.put("a", "a"));
  Caller make = volume_.caller();
  CreatedFile made =
      volume_.fs().create(make, TestVolume::root(), "new", {.mode = 0644}, O_RDWR | O_CREAT | O_EXCL).value();
  Caller move = volume_.caller();
  EXPECT_DONE(volume_.fs().rename(move, TestVolume::root(), "a", TestVolume::root(), "b", {}));
  Caller open = volume_.caller();
  Opened opened = volume_.fs().open(open, volume_.node("b"), O_RDONLY).value();
  Caller remove = volume_.caller();
  EXPECT_DONE(volume_.fs().unlink(remove, TestVolume::root(), "b"));
  volume_.kill_and_resume();
  auto again = volume_.fs().create(make, TestVolume::root(), "new", {.mode = 0644}, O_RDWR | O_CREAT | O_EXCL);
  ASSERT_TRUE(again) << again.error().what;
  EXPECT_EQ(again->opened.handle, made.opened.handle);
  EXPECT_EQ(again->entry.node.value, made.entry.node.value);
  EXPECT_DONE(volume_.fs().rename(move, TestVolume::root(), "a", TestVolume::root(), "b", {}));
  EXPECT_EQ(volume_.fs().open(open, KernelNode::of(made.entry.node.inode(), 0), O_RDONLY).value().handle,
            opened.handle);
  EXPECT_DONE(volume_.fs().unlink(remove, TestVolume::root(), "b"));
  EXPECT_EQ(bytes_of(opened.handle), "a");
}

TEST_F(ResumeTest, a_slot_keeps_an_outcome_until_its_request_is_answered) {
  volume_.volume().slots().hold_outcomes({});
  Caller make = volume_.caller();
  ASSERT_TRUE(volume_.fs().make(make, TestVolume::root(), "d", {.type = FileType::kDirectory}));
  for (uint32_t i = 0; i < 3 * limits::kSlots; ++i) {
    Caller other = volume_.caller();
    ASSERT_TRUE(volume_.fs().make(other, TestVolume::root(), "d" + std::to_string(i), {.type = FileType::kDirectory}));
    volume_.volume().slots().answered(volume_.fs().request_base() + other.unique);
  }
  volume_.kill_and_resume();
  auto again = volume_.fs().make(make, TestVolume::root(), "d", {.type = FileType::kDirectory});
  EXPECT_TRUE(again) << again.error().what;
}

// The same disk, without the memory: as after the death of daemon and supervisor.
TEST_F(ResumeTest, without_the_memory_only_what_was_synced_is_published) {
  HandleId synced = volume_.create("synced");
  EXPECT_DONE(volume_.write(synced, 0, pattern(6, kLarge)));
  EXPECT_DONE(volume_.sync(synced));
  HandleId never = volume_.create("never");
  EXPECT_DONE(volume_.write(never, 0, pattern(7, kLarge)));
  volume_.kill_and_resume([] { return TestVolume::must(SharedMemory::create()); });
  EXPECT_EQ(volume_.get("synced").value(), pattern(6, kLarge));
  EXPECT_EQ(volume_.get("never").value(), "");
}

}  // namespace
}  // namespace weir::vfs
