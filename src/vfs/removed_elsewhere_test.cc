// Files that another node removes while the kernel of this one reads them by itself.
#include <fcntl.h>
#include <gtest/gtest.h>

#include "testing/fake_backing_files.h"
#include "vfs/nodes_fixture.h"

namespace weir::vfs {
namespace {

class RemovedElsewhereTest : public ::testing::Test {
 protected:
  void SetUp() override { volume_.fs().connect({.backing_files = &kernel_}); }

  static VolumeOptions options_of(SharedParts& parts) {
    VolumeOptions options;
    options.shared = &parts;
    options.node = NodeId{2};
    options.filesystem.shared = true;
    options.filesystem.lifetimes = {.entry_ms = 1000, .attributes_ms = 1000, .absent_ms = 0};
    options.filesystem.memory = TestVolume::must(
        SharedMemory::create({.requests = 4, .handles = 64, .contents = 8, .drafts = 16, .locks = 16}));
    return options;
  }

  SharedParts parts_;
  TestNode other_{parts_, NodeId{1}};
  testing::FakeBackingFiles kernel_;
  TestVolume volume_{options_of(parts_)};
};

/// The daemon ended, and with it every call on the mount waited.
TEST_F(RemovedElsewhereTest, a_file_that_was_written_beside_readers_can_be_closed) {
  for (const bool reader_stays : {false, true}) {
    SCOPED_TRACE(reader_stays);
    EXPECT_DONE(volume_.put("file", pattern(1, 300'000)));
    const HandleId reader = volume_.open("file", O_RDONLY);
    const HandleId writer = volume_.open("file", O_WRONLY);
    EXPECT_DONE(volume_.write(writer, 0, "changed"));
    other_.unlink("file");
    if (!reader_stays) volume_.release(reader);
    EXPECT_DONE(volume_.close(writer));
    if (reader_stays) volume_.release(reader);
    EXPECT_FALSE(volume_.exists("file"));
    EXPECT_DONE(volume_.put("another", "content"));
    EXPECT_EQ(volume_.get("another").value(), "content");
  }
}

/// No daemon could go on after the one that had it open, one after the other, and every call on the mount waited.
TEST_F(RemovedElsewhereTest, a_daemon_goes_on_after_one_that_had_it_open) {
  EXPECT_DONE(volume_.put("file", pattern(1, 300'000)));
  EXPECT_DONE(volume_.put("another", pattern(2, 300'000)));
  const HandleId reader = volume_.open("file", O_RDONLY);
  const HandleId other_reader = volume_.open("another", O_RDONLY);
  other_.unlink("file");
  volume_.kill_and_resume();
  volume_.fs().connect({.backing_files = &kernel_});
  EXPECT_EQ(volume_.read(other_reader, 0, 300'000).value(), pattern(2, 300'000));
  volume_.release(reader);
  volume_.release(other_reader);
  EXPECT_EQ(volume_.get("another").value(), pattern(2, 300'000));
}

/// Another node read nothing, as if the file had been emptied, and then the new content with the end of an old one.
TEST_F(RemovedElsewhereTest, opened_to_be_rewritten_it_keeps_what_another_node_published_meanwhile_until_it_is) {
  EXPECT_DONE(volume_.put("file", pattern(1, 300'000)));
  const HandleId reader = volume_.open("file", O_RDONLY);
  const KernelNode node = volume_.node("file");
  const HandleId writer = TestVolume::must(volume_.fs().open(volume_.caller(), node, O_WRONLY)).handle;
  other_.put("file", pattern(2, 200'000));
  other_.volume.drain();
  // The kernel's own way of O_TRUNC.
  EXPECT_DONE(volume_.truncate(node, 0));
  EXPECT_EQ(other_.get("file"), pattern(2, 200'000));
  EXPECT_DONE(volume_.write(writer, 0, pattern(3, 100'000)));
  EXPECT_DONE(volume_.close(writer));
  volume_.drain();
  EXPECT_EQ(other_.get("file"), pattern(3, 100'000));
  volume_.release(reader);
  EXPECT_EQ(volume_.get("file").value(), pattern(3, 100'000));
}

}  // namespace
}  // namespace weir::vfs
