// Chunks of a big file go to the store while the file is still being written.
#include <gtest/gtest.h>

#include "meta/check.h"
#include "testing/sparse_bytes.h"
#include "testing/volume_fixture.h"
#include "vfs/admin.h"

namespace weir::vfs {
namespace {

constexpr uint64_t kChunk = limits::kChunkBytes;
constexpr uint64_t kEarlyBytes = 2 * kChunk;

testing::VolumeOptions early_options() {
  testing::VolumeOptions options;
  options.filesystem.early_upload_bytes = kEarlyBytes;
  return options;
}

class EarlyUploadTest : public ::testing::Test {
 protected:
  UploadStatus upload() { return status(volume_.fs()).upload; }
  /// Waits until so many chunks were sent; false when they are not, after a while.
  bool sent(uint64_t chunks) {
    for (int i = 0; i < 2000; ++i) {
      if (upload().uploaded_chunks >= chunks) return true;
      SystemClock().sleep_ms(5);
    }
    return false;
  }
  /// As a program writes: in requests of 1 MiB.
  void write(HandleId handle, uint64_t offset, const Bytes& bytes) {
    for (uint64_t done = 0; done < bytes.size(); done += 1u << 20)
      EXPECT_DONE(volume_.write(handle, offset + done, std::string_view(bytes).substr(done, 1u << 20)));
  }
  /// Collects as if the grace were over, until the store is empty; false when it does not come to that, after a while.
  /// A chunk that was hashed late may still be on its way to the store.
  bool all_is_collected() {
    for (int i = 0; i < 2000; ++i) {
      volume_.collect();
      if (volume_.objects().empty()) return true;
      SystemClock().sleep_ms(5);
    }
    return false;
  }
  void expect_clean() {
    auto checked = meta::check(
        volume_.volume(), false, [](const meta::Problem& problem) { ADD_FAILURE() << problem.kind << problem.what; },
        nullptr);
    EXPECT_TRUE(checked.has_value());
  }

  testing::TestVolume volume_{early_options()};
};

TEST_F(EarlyUploadTest, most_of_a_file_is_stored_when_it_is_closed) {
  const Bytes bytes = testing::pattern(1, 6 * kChunk + 1000);
  const HandleId handle = volume_.create("checkpoint");
  write(handle, 0, bytes);
  // What came before the file was big, and the rest of a chunk, is sent when it is closed.
  ASSERT_TRUE(sent(5));
  EXPECT_EQ(volume_.status("checkpoint").chunks, 0u);
  EXPECT_GE(volume_.objects().size(), 5u);
  EXPECT_DONE(volume_.close(handle));
  volume_.drain_and_evict();
  EXPECT_EQ(upload().uploaded_chunks, 7u);
  EXPECT_EQ(upload().deduplicated_bytes, 0u);
  EXPECT_EQ(volume_.objects().size(), 7u);
  EXPECT_TRUE(volume_.get("checkpoint").value() == bytes);
  volume_.collect();
  EXPECT_TRUE(volume_.get("checkpoint").value() == bytes);
  expect_clean();
}

TEST_F(EarlyUploadTest, a_chunk_that_is_changed_afterwards_is_sent_again_and_the_old_object_goes) {
  Bytes bytes = testing::pattern(2, 4 * kChunk);
  const HandleId handle = volume_.create("changed");
  write(handle, 0, bytes);
  ASSERT_TRUE(sent(3));
  const Bytes other = testing::pattern(3, kChunk);
  for (int round = 0; round < 3; ++round)
    write(handle, 2 * kChunk, testing::pattern(static_cast<uint64_t>(round), kChunk));
  write(handle, 2 * kChunk, other);
  bytes.replace(2 * kChunk, kChunk, other);
  EXPECT_DONE(volume_.close(handle));
  volume_.drain_and_evict();
  EXPECT_TRUE(volume_.get("changed").value() == bytes);
  EXPECT_EQ(volume_.objects().size(), 5u);
  // Once early, and once when it was closed: not for each change.
  EXPECT_EQ(upload().uploaded_chunks, 5u);
  volume_.collect();
  EXPECT_EQ(volume_.objects().size(), 4u);
  volume_.drain_and_evict();
  EXPECT_TRUE(volume_.get("changed").value() == bytes);
  expect_clean();
}

TEST_F(EarlyUploadTest, what_is_never_published_leaves_nothing_in_the_store) {
  const HandleId handle = volume_.create("temporary");
  write(handle, 0, testing::pattern(4, 4 * kChunk));
  ASSERT_TRUE(sent(3));
  EXPECT_DONE(volume_.unlink("temporary"));
  volume_.release(handle);
  volume_.drain();
  EXPECT_TRUE(all_is_collected());
  expect_clean();
}

TEST_F(EarlyUploadTest, what_the_collector_took_away_is_sent_again) {
  const Bytes bytes = testing::pattern(5, 4 * kChunk);
  const HandleId handle = volume_.create("slow");
  write(handle, 0, bytes);
  ASSERT_TRUE(sent(3));
  EXPECT_TRUE(all_is_collected());
  EXPECT_DONE(volume_.close(handle));
  volume_.drain_and_evict();
  EXPECT_TRUE(volume_.get("slow").value() == bytes);
  expect_clean();
}

TEST_F(EarlyUploadTest, an_upload_that_failed_early_is_looked_for_and_not_sent_twice) {
  const Bytes bytes = testing::pattern(6, 4 * kChunk);
  volume_.store().set_chance(object::Operation::kPut, object::Fault::kLostReply, 1000);
  const HandleId handle = volume_.create("unsure");
  write(handle, 0, bytes);
  for (int i = 0; i < 2000 && volume_.objects().size() < 3; ++i) SystemClock().sleep_ms(5);
  volume_.store().set_chance(object::Operation::kPut, object::Fault::kLostReply, 0);
  EXPECT_DONE(volume_.close(handle));
  volume_.drain_and_evict();
  EXPECT_TRUE(volume_.get("unsure").value() == bytes);
  EXPECT_EQ(volume_.store().count(object::Operation::kPut), 4u);
  EXPECT_GE(upload().found_bytes, 3 * kChunk);
  expect_clean();
}

// An unmount waited for an hour: until the grace of the chunk was over.
TEST_F(EarlyUploadTest, content_whose_publish_died_after_a_part_was_announced_is_not_waited_for) {
  const Bytes bytes = testing::pattern(8, 50'000);
  const ChunkId id = chunk_id_of(bytes);
  ASSERT_TRUE(meta::announce_chunks(volume_.volume(), {{id, static_cast<uint32_t>(bytes.size())}}).has_value());
  EXPECT_DONE(volume_.cache().put_small_unstored(id, bytes));
  volume_.drain();
  EXPECT_EQ(volume_.objects().size(), 0u);
  volume_.collect();
  expect_clean();
}

TEST_F(EarlyUploadTest, small_files_and_mounts_without_uploads_wait_for_close) {
  const HandleId handle = volume_.create("small");
  write(handle, 0, testing::pattern(7, kEarlyBytes - (1u << 20)));
  SystemClock().sleep_ms(100);
  EXPECT_EQ(volume_.objects().size(), 0u);
  EXPECT_DONE(volume_.close(handle));
  volume_.drain();
  EXPECT_EQ(volume_.objects().size(), 2u);
}

}  // namespace
}  // namespace weir::vfs
