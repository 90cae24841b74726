#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <map>

#include "base/file_descriptor.h"
#include "vfs/backing_files.h"

namespace weir::testing {

/// Keeps the files that it was told of, as the kernel does; a test reads them as a reader of the mount would. Never
/// refuses. Not thread-safe.
class FakeBackingFiles : public vfs::BackingFiles {
 public:
  Result<int32_t> open(int fd) override {
    files_[++last_] = FileDescriptor(::fcntl(fd, F_DUPFD_CLOEXEC, 3));
    return last_;
  }
  void close(int32_t id) override { files_.erase(id); }

  /// The file that was opened last.
  int newest() const { return files_.at(last_).get(); }
  struct stat newest_attributes() const {
    struct stat attributes {};
    EXPECT_EQ(::fstat(newest(), &attributes), 0);
    return attributes;
  }

 private:
  std::map<int32_t, FileDescriptor> files_;
  int32_t last_ = 0;
};

}  // namespace weir::testing
