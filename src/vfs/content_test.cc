// Files written, changed, published, evicted and read again, at every size where content changes its form.
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <thread>
#include <utility>
#include <vector>

#include "testing/sanitized.h"
#include "vfs/files_fixture.h"

namespace weir::vfs {
namespace {

std::string name_of(std::string_view prefix, uint64_t a, uint64_t b = 0) {
  return fmt::format("{}-{}-{}", prefix, a, b);
}

/// Memory engine and store, then RocksDB and a directory.
class ContentTest : public ::testing::TestWithParam<bool> {
 protected:
  TestFiles test_{{.on_disk = GetParam()}};
};
class ContentInMemoryTest : public ::testing::Test {
 protected:
  TestFiles test_;
};

INSTANTIATE_TEST_SUITE_P(Storage, ContentTest, ::testing::Values(false, true),
                         [](const auto& storage) { return storage.param ? "disk" : "memory"; });

TEST_P(ContentTest, files_of_every_size) {
  for (uint64_t size : kBoundarySizes) test_.write(test_.create(name_of("at-once", size)), 0, pattern(size, size));
  ASSERT_NO_FATAL_FAILURE(test_.check_all_through_life());
}

TEST_F(ContentInMemoryTest, a_capability_that_is_set_on_an_open_file_is_seen_by_the_next_write) {
  TestFile& file = test_.create("program");
  const auto capability = [&] { return test_.volume.fs().get_xattr(file.node, "security.capability"); };
  // The kernel asks before every write.
  EXPECT_EQ(capability().error().code, Code::kNoAttribute);
  EXPECT_EQ(capability().error().code, Code::kNoAttribute);
  EXPECT_DONE(test_.volume.fs().set_xattr(test_.volume.caller(), file.node, "security.capability", "all",
                                          meta::XattrMode::kAny, false));
  EXPECT_EQ(TestVolume::must(capability()), "all");
  EXPECT_DONE(test_.volume.fs().remove_xattr(test_.volume.caller(), file.node, "security.capability"));
  EXPECT_EQ(capability().error().code, Code::kNoAttribute);
}

TEST_F(ContentInMemoryTest, written_in_pieces_forwards_and_backwards) {
  for (uint64_t size : kBoundarySizes) {
    Bytes bytes = pattern(size + 1, size);
    TestFile& forwards = test_.create(name_of("forwards", size));
    TestFile& backwards = test_.create(name_of("backwards", size));
    const uint64_t step = size / 7 + 1;
    for (uint64_t offset = 0; offset < size; offset += step)
      test_.write(forwards, offset, std::string_view(bytes).substr(offset, step));
    for (uint64_t end = size; end > 0; end -= std::min(end, step)) {
      uint64_t offset = end - std::min(end, step);
      test_.write(backwards, offset, std::string_view(bytes).substr(offset, end - offset));
    }
  }
  ASSERT_NO_FATAL_FAILURE(test_.check_all_through_life());
}

TEST_P(ContentTest, sparse_files_on_both_sides_of_64_chunks) {
  for (uint64_t size : {64 * kChunk - 1, 64 * kChunk, 64 * kChunk + 1, 65 * kChunk, 1025 * kChunk + 5}) {
    TestFile& file = test_.create(name_of("sparse", size));
    test_.truncate(file, size);
    test_.write(file, 3 * kChunk - 10, pattern(size, 20));
    test_.write(file, 40 * kChunk, pattern(size + 1, 100));
    test_.write(file, size - 1, "x");
  }
  ASSERT_NO_FATAL_FAILURE(test_.check_all_through_life());
  for (TestFile& file : test_.files) {
    test_.open(file);
    test_.write(file, 50 * kChunk + 1, "changed in place");
    test_.punch(file, 40 * kChunk, kChunk);
  }
  ASSERT_NO_FATAL_FAILURE(test_.check_all_through_life());
  for (TestFile& file : test_.files) test_.truncate(file, 63 * kChunk);
  ASSERT_NO_FATAL_FAILURE(test_.check_all_through_life());
  for (TestFile& file : test_.files) test_.truncate(file, 70 * kChunk);
  ASSERT_NO_FATAL_FAILURE(test_.check_all_through_life());
}

TEST_F(ContentInMemoryTest, a_big_file_of_more_chunks_than_an_inode_holds) {
  TestFile& alike = test_.create("alike");
  TestFile& different = test_.create("different");
  Bytes chunk = pattern(1, kChunk);
  for (uint64_t index = 0; index < 5; ++index) test_.write(alike, chunk_offset(index), chunk);
  for (uint64_t index = 0; index < 66; ++index) test_.write(different, chunk_offset(index), pattern(100 + index, 4096));
  test_.close(alike);
  test_.close(different);
  ASSERT_NO_FATAL_FAILURE(test_.volume.drain());
  EXPECT_EQ(test_.volume.objects().size(), 1 + 66u);
  ASSERT_NO_FATAL_FAILURE(test_.check_all_through_life());
}

class TruncateTest : public ContentInMemoryTest {};

TEST_F(TruncateTest, unpublished_content_between_all_sizes) {
  for (uint64_t from : kBoundarySizes) {
    for (uint64_t to : kBoundarySizes) {
      TestFile& file = test_.create(name_of("file", from, to));
      test_.write(file, 0, pattern(from, from));
      test_.truncate(file, to);
    }
  }
  ASSERT_NO_FATAL_FAILURE(test_.check_all_through_life());
}

TEST_F(TruncateTest, published_content_between_all_sizes_with_and_without_a_handle) {
  for (uint64_t from : kBoundarySizes) {
    for (uint64_t to : kBoundarySizes) {
      TestFile& file = test_.put(name_of("file", from, to), pattern(from, from));
      if (to % 2 == 0) test_.open(file);
      test_.truncate(file, to);
    }
  }
  ASSERT_NO_FATAL_FAILURE(test_.check_all_through_life());
}

TEST_F(TruncateTest, evicted_content_between_all_sizes_and_written_again_behind_the_old_end) {
  for (uint64_t from : kBoundarySizes)
    for (uint64_t to : kBoundarySizes) test_.put(name_of("file", from, to), pattern(from, from));
  ASSERT_NO_FATAL_FAILURE(test_.volume.drain_and_evict());
  size_t number = 0;
  for (uint64_t from : kBoundarySizes) {
    for (uint64_t to : kBoundarySizes) {
      TestFile& file = test_.files[number++];
      test_.open(file);
      test_.truncate(file, to);
      test_.write(file, from + 10, "behind the old end");
    }
  }
  ASSERT_NO_FATAL_FAILURE(test_.check_all_through_life());
}

TEST_F(ContentInMemoryTest, down_and_up_again_reads_zeros) {
  for (uint64_t size : kBoundarySizes) {
    if (size == 0) continue;
    TestFile& fresh = test_.create(name_of("fresh", size));
    TestFile& old = test_.put(name_of("old", size), pattern(size, size));
    test_.open(old);
    test_.write(fresh, 0, pattern(size, size));
    for (TestFile* file : {&fresh, &old}) {
      test_.truncate(*file, size - 1);
      test_.truncate(*file, size + 5);
      test_.truncate(*file, size / 2);
      test_.truncate(*file, size * 2);
    }
  }
  ASSERT_NO_FATAL_FAILURE(test_.check_all_through_life());
}

TEST_F(ContentInMemoryTest, pages_written_back_late_do_not_make_a_file_larger) {
  TestFile& file = test_.create("f");
  test_.write(file, 0, pattern(1, 8192));
  test_.truncate(file, 100);
  const auto written_back = [&](uint64_t offset, std::string_view bytes) {
    auto count = test_.volume.fs().write(file.handle, offset, bytes, WriteFrom::kPageCache);
    ASSERT_TRUE(count) << count.error().what;
    EXPECT_EQ(*count, bytes.size());
  };
  const Bytes page = pattern(2, 4096);
  ASSERT_NO_FATAL_FAILURE(written_back(4096, page));
  ASSERT_NO_FATAL_FAILURE(written_back(0, page));
  file.model.write(0, std::string_view(page).substr(0, 100));
  ASSERT_NO_FATAL_FAILURE(test_.check_all_through_life());
}

TEST_F(ContentInMemoryTest, holes_and_zeroed_ranges) {
  const uint64_t size = 2 * kChunk + 1000;
  std::vector<std::pair<uint64_t, uint64_t>> ranges = {
      {0, kChunk},     {100, kChunk},      {kChunk - 1, 2},      {kChunk, kChunk},
      {0, size},       {2 * kChunk, 1000}, {2 * kChunk, kChunk}, {size - 1, 1},
      {size - 1, 500}, {size, 10},         {2 * kChunk + 1, 998}};
  if (testing::kSanitized) ranges = {{0, kChunk}, {kChunk - 1, 2}, {0, size}, {size - 1, 500}};
  std::printf("%zu ranges\n", ranges.size());
  for (bool published : {false, true}) {
    for (auto [offset, length] : ranges) {
      for (const char* kind : {"punch", "zero", "extend", "allocate"}) {
        TestFile& file = test_.create(fmt::format("{}-{}-{}-{}", kind, published, offset, length));
        test_.write(file, 0, pattern(7, size));
        if (published) EXPECT_DONE(test_.volume.flush(file.handle));
        if (kind == std::string_view("punch")) test_.punch(file, offset, length);
        if (kind == std::string_view("zero")) test_.zero(file, offset, length, true);
        if (kind == std::string_view("extend")) test_.zero(file, offset, length, false);
        if (kind == std::string_view("allocate")) test_.allocate(file, offset, length, false);
      }
    }
  }
  ASSERT_NO_FATAL_FAILURE(test_.check_all_through_life());
}

TEST_F(ContentInMemoryTest, small_content_of_zeros_is_a_hole) {
  for (uint64_t size :
       {uint64_t{1}, uint64_t{4096}, uint64_t{4097}, uint64_t{65536}, uint64_t{65537}, kChunk, 2 * kChunk}) {
    test_.truncate(test_.create(name_of("extended", size)), size);
    test_.write(test_.create(name_of("written", size)), 0, Bytes(size, '\0'));
    TestFile& punched = test_.create(name_of("punched", size));
    test_.write(punched, 0, pattern(size, size));
    test_.punch(punched, 0, size);
  }
  ASSERT_NO_FATAL_FAILURE(test_.check_all_through_life());
  EXPECT_TRUE(test_.volume.objects().empty());
}

TEST_F(ContentInMemoryTest, modified_in_place_at_every_boundary) {
  const std::pair<uint64_t, uint64_t> writes[] = {
      {0, 1}, {65535, 2}, {kChunk - 5, kChunk + 10}, {kChunk, kChunk}, {2 * kChunk - 1, 10'000}, {3 * kChunk + 17, 5}};
  std::vector<uint64_t> sizes = {0, 4096, 4097, 65536, 65537, kChunk, kChunk + 1, 2 * kChunk + 4096};
  if (testing::kSanitized) sizes = {0, 4097, 65537, kChunk + 1};
  std::printf("%zu sizes\n", sizes.size());
  for (uint64_t size : sizes)
    for (auto [offset, length] : writes) test_.put(name_of(name_of("file", size), offset, length), pattern(size, size));
  for (int round = 0; round < 2; ++round) {
    if (round == 1) {
      ASSERT_NO_FATAL_FAILURE(test_.volume.drain_and_evict());
    }
    size_t number = 0;
    for (size_t i = 0; i < sizes.size(); ++i) {
      for (auto [offset, length] : writes) {
        TestFile& file = test_.files[number++];
        test_.open(file);
        test_.write(file, offset, pattern(offset + length + static_cast<uint64_t>(round), length));
        test_.check(file);
        test_.close(file);
      }
    }
  }
  ASSERT_NO_FATAL_FAILURE(test_.check_all_through_life());
}

TEST_F(ContentInMemoryTest, a_cold_read_beside_its_fill_fetches_every_chunk_once) {
  constexpr uint64_t kChunks = 24;
  TestFile& file = test_.put("cold", pattern(3, kChunks * kChunk));
  for (int round = 1; round <= 4; ++round) {
    ASSERT_NO_FATAL_FAILURE(test_.volume.drain_and_evict());
    const uint64_t before = test_.volume.store().count(object::Operation::kGet);
    test_.check(file);
    EXPECT_EQ(test_.volume.store().count(object::Operation::kGet) - before, kChunks) << "in round " << round;
  }
}

TEST_F(ContentInMemoryTest, bytes_that_come_wrong_three_times_are_right_at_the_fourth_and_no_reader_sees_the_others) {
  TestFile& file = test_.put("small", pattern(3, 50'000));
  ASSERT_NO_FATAL_FAILURE(test_.volume.drain_and_evict());
  for (int i = 0; i < 2; ++i) test_.volume.store().script(object::Operation::kGet, object::Fault::kFlippedByte);
  test_.volume.store().script(object::Operation::kGet, object::Fault::kShort);
  ASSERT_NO_FATAL_FAILURE(test_.check(file));
  EXPECT_EQ(vfs::status(test_.volume.fs()).reads.corrupt_chunks, 3u);
}

TEST_F(ContentInMemoryTest, bytes_that_always_come_wrong_are_an_error) {
  TestFile& file = test_.put("small", pattern(3, 50'000));
  ASSERT_NO_FATAL_FAILURE(test_.volume.drain_and_evict());
  test_.volume.store().set_chance(object::Operation::kGet, object::Fault::kFlippedByte, 1000);
  test_.open(file, O_RDONLY);
  auto bytes = test_.volume.read(file.handle, 0, 100);
  ASSERT_FALSE(bytes);
  EXPECT_EQ(bytes.error().code, Code::kCorrupt);
  test_.volume.store().set_chance(object::Operation::kGet, object::Fault::kFlippedByte, 0);
  ASSERT_NO_FATAL_FAILURE(test_.check(file));
}

TEST_P(ContentTest, rewritten_after_truncation_at_open_and_appended_to) {
  for (uint64_t from : {uint64_t{0}, uint64_t{100}, uint64_t{5000}, uint64_t{70'000}, kChunk + 1}) {
    for (uint64_t to : {uint64_t{0}, uint64_t{100}, uint64_t{5000}, uint64_t{70'000}, kChunk + 1}) {
      TestFile& rewritten = test_.put(name_of("rewritten", from, to), pattern(from, from));
      test_.open(rewritten, O_RDWR | O_TRUNC);
      test_.check(rewritten);
      test_.write(rewritten, 0, pattern(to + 1, to));
      TestFile& appended = test_.put(name_of("appended", from, to), pattern(from, from));
      test_.open(appended, O_WRONLY | O_APPEND);
      test_.write(appended, from, pattern(to + 2, to));
      test_.close(appended);
    }
  }
  ASSERT_NO_FATAL_FAILURE(test_.check_all_through_life());
}

TEST_P(ContentTest, a_write_that_is_the_same_again_changes_nothing_but_is_fine) {
  for (uint64_t size : kBoundarySizes) {
    TestFile& file = test_.put(name_of("file", size), pattern(size, size));
    test_.open(file);
    test_.write(file, 0, pattern(size, size));
    test_.close(file);
  }
  ASSERT_NO_FATAL_FAILURE(test_.volume.drain());
  size_t objects = test_.volume.objects().size();
  for (TestFile& file : test_.files) {
    uint64_t size = file.model.size();
    test_.open(file, O_RDWR | O_TRUNC);
    test_.write(file, 0, pattern(size, size));
  }
  ASSERT_NO_FATAL_FAILURE(test_.check_all_through_life());
  EXPECT_EQ(test_.volume.objects().size(), objects);
}

TEST_P(ContentTest, copies_share_whole_chunks) {
  const uint64_t size = 3 * kChunk + 5000;
  TestFile& source = test_.put("source", pattern(1, size));
  ASSERT_NO_FATAL_FAILURE(test_.volume.drain());
  size_t objects = test_.volume.objects().size();
  test_.open(source);
  TestFile& whole = test_.create("whole");
  test_.copy(source, 0, whole, 0, size);
  TestFile& moved = test_.create("moved-by-a-chunk");
  test_.copy(source, kChunk, moved, 2 * kChunk, 2 * kChunk);
  test_.close(whole);
  test_.close(moved);
  ASSERT_NO_FATAL_FAILURE(test_.volume.drain());
  EXPECT_EQ(test_.volume.objects().size(), objects) << "nothing was copied";

  TestFile& ragged = test_.create("ragged");
  test_.copy(source, 1000, ragged, 77, 2 * kChunk);
  TestFile& into = test_.put("into", pattern(2, 4 * kChunk));
  test_.open(into);
  test_.copy(source, 0, into, kChunk, 2 * kChunk);
  test_.copy(source, size - 100, into, 10, 1000);
  TestFile& grown = test_.create("grown");
  test_.copy(source, 0, grown, 0, size);
  test_.write(grown, size, pattern(3, 100'000));
  TestFile& cut = test_.create("cut");
  test_.copy(source, 0, cut, 0, size);
  test_.truncate(cut, kChunk + 1);
  TestFile& unpublished = test_.create("unpublished");
  test_.write(unpublished, 0, pattern(4, 2 * kChunk));
  test_.copy(unpublished, 0, into, 0, kChunk);
  test_.copy(source, 0, source, 4 * kChunk, kChunk);
  ASSERT_NO_FATAL_FAILURE(test_.check_all_through_life());
}

TEST_P(ContentTest, copies_of_an_evicted_file_into_files_that_change_after_it) {
  TestFile& source = test_.put("source", pattern(1, 2 * kChunk + 70'000));
  TestFile& small = test_.put("small", pattern(2, 30'000));
  ASSERT_NO_FATAL_FAILURE(test_.volume.drain_and_evict());
  test_.open(source);
  test_.open(small);
  TestFile& changed = test_.create("changed");
  test_.copy(source, 0, changed, 0, UINT32_MAX);
  test_.write(changed, 10, "changed");
  test_.write(changed, 2 * kChunk + 69'999, "behind");
  test_.copy(small, 0, changed, kChunk + 1, UINT32_MAX);
  TestFile& short_copy = test_.create("short");
  test_.copy(small, 100, short_copy, 0, 4097);
  test_.copy(small, small.model.size() + 1, short_copy, 0, 10);
  ASSERT_NO_FATAL_FAILURE(test_.check_all_through_life());
}

TEST_F(ContentInMemoryTest, closing_a_file_does_not_wait_for_another_writer_to_pause) {
  const HandleId writing = test_.volume.create("f");
  const HandleId closing = test_.volume.open("f");
  std::atomic<bool> closed = false;
  std::atomic<bool> paused = false;
  const auto give_up = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  const Bytes piece = pattern(1, 4096);
  const auto write_on = [&](uint64_t first) {
    // Small writes at the ends of chunks: far more is to hash than to write.
    for (uint64_t index = first; !closed && !paused; index = first + (index + 1) % 4) {
      EXPECT_DONE(test_.volume.write(writing, (index + 1) * kChunk - piece.size(), piece));
      if (std::chrono::steady_clock::now() > give_up) paused = true;
    }
  };
  for (uint64_t index = 0; index < 17; ++index)
    EXPECT_DONE(test_.volume.write(writing, (index + 1) * kChunk - piece.size(), piece));
  std::vector<std::thread> writers;
  for (uint64_t first : {0, 4, 8, 12}) writers.emplace_back(write_on, first);
  for (int round = 0; round < 3; ++round) EXPECT_DONE(test_.volume.flush(closing));
  closed = true;
  for (std::thread& writer : writers) writer.join();
  EXPECT_FALSE(paused) << "it waited until the writer stopped";
  EXPECT_DONE(test_.volume.close(closing));
  EXPECT_DONE(test_.volume.close(writing));
}

class SeekTest : public ContentInMemoryTest {
 protected:
  /// The offset, or UINT64_MAX for "there is none".
  uint64_t seek(const TestFile& file, uint64_t offset, bool data) {
    auto found = test_.volume.fs().seek(file.handle, offset, data);
    if (found) return *found;
    EXPECT_EQ(found.error().code, Code::kNoDevice) << found.error().what;
    return UINT64_MAX;
  }
};

TEST_F(SeekTest, data_and_holes_in_drafts_and_in_what_is_published) {
  TestFile& file = test_.create("sparse");
  const uint64_t size = 6 * kChunk + 10;
  test_.write(file, 0, pattern(1, 2 * kChunk));
  test_.truncate(file, size);
  test_.write(file, 4 * kChunk + 100, "data");
  for (const char* when : {"draft", "published", "evicted"}) {
    SCOPED_TRACE(when);
    EXPECT_EQ(seek(file, 0, true), 0u);
    EXPECT_EQ(seek(file, 77, true), 77u);
    EXPECT_EQ(seek(file, 0, false), 2 * kChunk);
    EXPECT_EQ(seek(file, 2 * kChunk, false), 2 * kChunk);
    EXPECT_EQ(seek(file, 2 * kChunk + 5, false), 2 * kChunk + 5);
    EXPECT_EQ(seek(file, 2 * kChunk, true), 4 * kChunk);
    EXPECT_EQ(seek(file, 4 * kChunk + 200, false), 5 * kChunk);
    EXPECT_EQ(seek(file, 5 * kChunk, true), UINT64_MAX);
    EXPECT_EQ(seek(file, size - 1, false), size - 1);
    EXPECT_EQ(seek(file, size, true), UINT64_MAX);
    EXPECT_EQ(seek(file, size, false), UINT64_MAX);
    EXPECT_EQ(test_.volume.stat("sparse").blocks_512, 3 * kChunk / 512);
    if (when == std::string_view("draft")) EXPECT_DONE(test_.volume.flush(file.handle));
    if (when == std::string_view("published")) {
      test_.close(file);
      ASSERT_NO_FATAL_FAILURE(test_.volume.drain_and_evict());
      test_.open(file);
    }
  }
}

TEST_F(SeekTest, small_files_are_data_throughout) {
  for (uint64_t size : {1, 4096, 65536}) {
    TestFile& file = test_.create(name_of("file", size));
    test_.write(file, 0, pattern(1, size));
    for (int round = 0; round < 2; ++round) {
      EXPECT_EQ(seek(file, 0, true), 0u);
      EXPECT_EQ(seek(file, size - 1, true), size - 1);
      EXPECT_EQ(seek(file, 0, false), size);
      EXPECT_EQ(seek(file, size, true), UINT64_MAX);
      EXPECT_DONE(test_.volume.flush(file.handle));
    }
  }
}

TEST_F(ContentInMemoryTest, a_close_while_other_calls_use_the_handle_does_not_kill_the_daemon) {
  for (int round = 0; round < 200; ++round) {
    const std::string name = name_of("file", static_cast<uint64_t>(round));
    const HandleId handle = test_.volume.create(name);
    std::atomic<bool> closed = false;
    std::vector<std::thread> others;
    for (int other = 0; other < 2; ++other) {
      others.emplace_back([&] {
        // The kernel sends nothing after RELEASE; somebody who pretends to be one may.
        while (!closed) {
          Status done = test_.volume.write(handle, 0, "bytes");
          if (done) done = test_.volume.flush(handle);
          EXPECT_TRUE(done || done.error().code == Code::kBadHandle);
        }
      });
    }
    std::this_thread::sleep_for(std::chrono::microseconds(200));
    test_.volume.release(handle);
    closed = true;
    for (std::thread& other : others) other.join();
    EXPECT_DONE(test_.volume.unlink(name));
  }
}

}  // namespace
}  // namespace weir::vfs
