#pragma once

#include <linux/falloc.h>

#include <algorithm>
#include <deque>
#include <string>
#include <utility>

#include "base/limits.h"
#include "model/chunk.h"
#include "testing/volume_fixture.h"

namespace weir::vfs {

using testing::pattern;
using testing::SparseBytes;
using testing::TestVolume;
using testing::VolumeOptions;

/// A file, what a test did to it, and a handle through which it did.
struct TestFile {
  std::string name;
  SparseBytes model;
  HandleId handle = 0;  // 0: not open
  KernelNode node;
};

/// Compares what a file reads with what it should be.
class BytesChecker {
 public:
  explicit BytesChecker(TestVolume& volume) : volume_(volume) {}

  /// `handle` 0: opens the file for it.
  void check(const SparseBytes& model, KernelNode node, HandleId handle) {
    auto attributes = volume_.fs().get_attributes(node);
    ASSERT_TRUE(attributes.has_value()) << attributes.error().what;
    ASSERT_EQ(attributes->size, model.size());
    HandleId own = handle == 0 ? TestVolume::must(volume_.fs().open(volume_.caller(), node, O_RDONLY)).handle : 0;
    check_bytes(model, handle == 0 ? own : handle);
    if (own != 0) volume_.release(own);
  }

 private:
  /// Chunks that were never written are looked at only at their ends.
  void check_bytes(const SparseBytes& model, HandleId handle) {
    for (uint64_t index = 0; index < chunk_count(model.size()); ++index) {
      uint64_t offset = chunk_offset(index);
      uint64_t length = chunk_length(model.size(), index);
      if (model.has_data(offset, length)) {
        ASSERT_NO_FATAL_FAILURE(check_range(model, handle, offset, length));
      } else {
        ASSERT_NO_FATAL_FAILURE(check_range(model, handle, offset, std::min<uint64_t>(length, 100)));
        uint64_t tail = std::min<uint64_t>(length, 100);
        ASSERT_NO_FATAL_FAILURE(check_range(model, handle, offset + length - tail, tail));
      }
    }
    auto behind = volume_.read(handle, model.size(), 10);
    ASSERT_TRUE(behind.has_value()) << behind.error().what;
    ASSERT_EQ(behind->size(), 0u);
  }
  void check_range(const SparseBytes& model, HandleId handle, uint64_t offset, uint64_t length) {
    auto bytes = volume_.read(handle, offset, length);
    ASSERT_TRUE(bytes.has_value()) << bytes.error().what;
    ASSERT_EQ(bytes->size(), length);
    uint64_t difference = model.first_difference(offset, *bytes);
    ASSERT_EQ(difference, UINT64_MAX) << "first wrong byte at " << difference;
  }

  TestVolume& volume_;
};

/// Files of one volume, each with a model of its bytes. Every change goes to both; check() compares.
class TestFiles {
 public:
  explicit TestFiles(VolumeOptions options = {}) : volume(std::move(options)) {}

  TestFile& create(const std::string& name) {
    TestFile& file = files.emplace_back();
    file.name = name;
    auto created = TestVolume::must(volume.create_file(name));
    file.handle = created.opened.handle;
    file.node = created.entry.node;
    return file;
  }
  /// Written, closed.
  TestFile& put(const std::string& name, std::string_view bytes) {
    TestFile& file = create(name);
    write(file, 0, bytes);
    close(file);
    return file;
  }

  void write(TestFile& file, uint64_t offset, std::string_view bytes) {
    for (size_t done = 0; done < bytes.size(); done += kWriteBytes)
      EXPECT_DONE(volume.write(file.handle, offset + done, bytes.substr(done, kWriteBytes)));
    if (!bytes.empty()) file.model.write(offset, bytes);
  }
  void truncate(TestFile& file, uint64_t size) {
    EXPECT_DONE(volume.truncate(file.node, size));
    file.model.truncate(size);
  }
  void punch(TestFile& file, uint64_t offset, uint64_t length) {
    EXPECT_DONE(volume.allocate(file.handle, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, offset, length));
    file.model.zero(offset, length);
  }
  void zero(TestFile& file, uint64_t offset, uint64_t length, bool keep_size) {
    EXPECT_DONE(
        volume.allocate(file.handle, FALLOC_FL_ZERO_RANGE | (keep_size ? FALLOC_FL_KEEP_SIZE : 0), offset, length));
    if (!keep_size && offset + length > file.model.size()) file.model.truncate(offset + length);
    file.model.zero(offset, length);
  }
  void allocate(TestFile& file, uint64_t offset, uint64_t length, bool keep_size) {
    EXPECT_DONE(volume.allocate(file.handle, keep_size ? FALLOC_FL_KEEP_SIZE : 0, offset, length));
    if (!keep_size && offset + length > file.model.size()) file.model.truncate(offset + length);
  }
  void copy(TestFile& from, uint64_t from_offset, TestFile& to, uint64_t to_offset, uint64_t length) {
    Bytes bytes = from.model.read(from_offset, length);
    uint64_t copied = TestVolume::must(
        volume.fs().copy_range(volume.caller(), from.handle, from_offset, to.handle, to_offset, length));
    EXPECT_EQ(copied, bytes.size());
    if (!bytes.empty()) to.model.write(to_offset, bytes);
  }
  void open(TestFile& file, int flags = O_RDWR) {
    if (file.handle == 0) file.handle = TestVolume::must(volume.fs().open(volume.caller(), file.node, flags)).handle;
    if ((flags & O_TRUNC) != 0) file.model.truncate(0);
  }
  void close(TestFile& file) {
    if (file.handle != 0) EXPECT_DONE(volume.close(std::exchange(file.handle, 0)));
  }

  /// Reads the file through its handle, or one of its own, and compares it with the model, size included.
  void check(const TestFile& file) {
    SCOPED_TRACE("file " + file.name);
    BytesChecker(volume).check(file.model, file.node, file.handle);
  }
  void check_all() {
    for (const TestFile& file : files) ASSERT_NO_FATAL_FAILURE(check(file));
  }

  /// The same bytes through the open handles, published, closed, out of the store, and after a restart.
  void check_all_through_life() {
    {
      SCOPED_TRACE("before they are published");
      ASSERT_NO_FATAL_FAILURE(check_all());
    }
    for (TestFile& file : files)
      if (file.handle != 0) EXPECT_DONE(volume.flush(file.handle));
    {
      SCOPED_TRACE("published, still open");
      ASSERT_NO_FATAL_FAILURE(check_all());
    }
    for (TestFile& file : files) close(file);
    {
      SCOPED_TRACE("closed");
      ASSERT_NO_FATAL_FAILURE(check_all());
    }
    volume.restart();
    {
      SCOPED_TRACE("after a restart");
      ASSERT_NO_FATAL_FAILURE(check_all());
    }
    ASSERT_NO_FATAL_FAILURE(volume.drain_and_evict());
    {
      SCOPED_TRACE("out of the object store");
      ASSERT_NO_FATAL_FAILURE(check_all());
    }
    EXPECT_TRUE(volume.lost().empty());
    EXPECT_TRUE(vfs::status(volume.fs()).reports.empty());
  }

  TestVolume volume;
  std::deque<TestFile> files;

 private:
  static constexpr size_t kWriteBytes = 1u << 20;
};

inline constexpr uint64_t kChunk = limits::kChunkBytes;
/// On both sides of every limit at which content changes its form.
inline constexpr uint64_t kBoundarySizes[] = {0,     1,     4095,       4096,   4097,       65535,
                                              65536, 65537, kChunk - 1, kChunk, kChunk + 1, 2 * kChunk + 4096};

}  // namespace weir::vfs
