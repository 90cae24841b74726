#include "base/file_descriptor.h"

#include <fcntl.h>
#include <gtest/gtest.h>

namespace weir {
namespace {

int open_null() { return ::open("/dev/null", O_RDONLY | O_CLOEXEC); }
bool is_open(int fd) { return ::fcntl(fd, F_GETFD) >= 0; }

TEST(FileDescriptor, ClosesWhatItOwns) {
  int raw = open_null();
  {
    FileDescriptor owner(raw);
    EXPECT_TRUE(owner.valid());
    EXPECT_EQ(owner.get(), raw);
    EXPECT_TRUE(is_open(raw));
  }
  EXPECT_FALSE(is_open(raw));
}

TEST(FileDescriptor, HandsOverOnMove) {
  FileDescriptor first(open_null());
  int raw = first.get();
  FileDescriptor second = std::move(first);
  EXPECT_EQ(second.get(), raw);
  FileDescriptor third(open_null());
  int replaced = third.get();
  third = std::move(second);
  EXPECT_FALSE(is_open(replaced));
  EXPECT_TRUE(is_open(raw));
}

TEST(FileDescriptor, LetsGo) {
  FileDescriptor owner(open_null());
  int raw = owner.release();
  EXPECT_FALSE(owner.valid());
  EXPECT_TRUE(is_open(raw));
  ::close(raw);
}

}  // namespace
}  // namespace weir
