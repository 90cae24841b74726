#include "fuse/encode.h"

#include <dirent.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstring>

#include "base/limits.h"

namespace weir::fuse {
namespace {

TEST(Encode, TimesBefore1970HavePositiveNanoseconds) {
  vfs::Attributes attributes;
  attributes.mtime_ns = -1;
  attributes.atime_ns = 1'500'000'000;
  const fuse_attr attr = encode_attributes(attributes);
  EXPECT_EQ(static_cast<int64_t>(attr.mtime), -1);
  EXPECT_EQ(attr.mtimensec, 999'999'999u);
  EXPECT_EQ(attr.atime, 1u);
  EXPECT_EQ(attr.atimensec, 500'000'000u);
}

TEST(Encode, SetAttributesTakesOnlyWhatIsValid) {
  fuse_setattr_in in{};
  in.valid = FATTR_MODE | FATTR_MTIME | FATTR_ATIME | FATTR_ATIME_NOW;
  in.mode = S_IFREG | 04755;
  in.mtime = static_cast<uint64_t>(int64_t{-1});
  in.mtimensec = 999'999'999;
  in.uid = 77;
  const vfs::SetAttributes change = decode_set_attributes(in);
  EXPECT_EQ(change.mode, 04755u);
  EXPECT_EQ(change.mtime_ns, -1);
  EXPECT_TRUE(change.atime_now);
  EXPECT_FALSE(change.mtime_now);
  EXPECT_FALSE(change.atime_ns.has_value());
  EXPECT_FALSE(change.uid.has_value());
  EXPECT_FALSE(change.size.has_value());
}

TEST(Encode, TimesThatDoNotFitAreClamped) {
  fuse_setattr_in in{};
  in.valid = FATTR_MTIME | FATTR_ATIME;
  in.mtime = INT64_MAX;
  in.atime = static_cast<uint64_t>(INT64_MIN);
  const vfs::SetAttributes change = decode_set_attributes(in);
  EXPECT_GT(change.mtime_ns, INT64_MAX - 3'000'000'000);
  EXPECT_LT(change.atime_ns, INT64_MIN + 3'000'000'000);
}

TEST(Encode, MoreThanASecondOfNanosecondsIsClamped) {
  fuse_setattr_in in{};
  in.valid = FATTR_MTIME | FATTR_CTIME;
  in.mtime = INT64_MAX;
  in.mtimensec = UINT32_MAX;
  in.ctime = 5;
  in.ctimensec = 1'000'000'000;
  const vfs::SetAttributes change = decode_set_attributes(in);
  EXPECT_GT(change.mtime_ns, INT64_MAX - 3'000'000'000);
  EXPECT_EQ(change.ctime_ns, 5'999'999'999);
}

TEST(Encode, LifetimesAreSplitIntoSecondsAndNanoseconds) {
  const fuse_entry_out out = encode_entry({}, {.entry_ms = 1500, .attributes_ms = 60'000});
  EXPECT_EQ(out.entry_valid, 1u);
  EXPECT_EQ(out.entry_valid_nsec, 500'000'000u);
  EXPECT_EQ(out.attr_valid, 60u);
  const fuse_entry_out absent = encode_absent({.absent_ms = 2000});
  EXPECT_EQ(absent.nodeid, 0u);
  EXPECT_EQ(absent.entry_valid, 2u);
}

TEST(Encode, LocksGoThereAndBack) {
  fuse_lk_in in{};
  in.owner = 9;
  in.lk = {10, INT64_MAX, F_WRLCK, 33};
  const auto lock = decode_lock(in);
  ASSERT_TRUE(lock.has_value());
  EXPECT_EQ(lock->kind, vfs::LockKind::kPosix);
  EXPECT_EQ(lock->owner, 9u);
  const fuse_lk_out out = encode_lock(*lock);
  EXPECT_EQ(std::memcmp(&out.lk, &in.lk, sizeof(in.lk)), 0);
  in.lk_flags = FUSE_LK_FLOCK;
  EXPECT_EQ(decode_lock(in)->kind, vfs::LockKind::kFlock);
  in.lk.type = 99;
  EXPECT_EQ(decode_lock(in).error().code, Code::kInvalid);
}

TEST(Encode, FilesSuggestLargeBlocksAndDirectoriesDoNot) {
  vfs::Attributes attributes;
  attributes.mode = S_IFREG;
  EXPECT_EQ(encode_attributes(attributes).blksize, limits::kFuseFileBlockBytes);
  attributes.mode = S_IFDIR;
  EXPECT_EQ(encode_statx(attributes, {}).stat.blksize, 4096u);
}

vfs::DirectoryItem item(std::string name, uint64_t cookie) {
  vfs::DirectoryItem made;
  made.name = std::move(name);
  made.next_cookie = cookie;
  made.inode = {100 + cookie};
  return made;
}

TEST(DirectoryPacker, PacksAlignedEntriesUntilFull) {
  DirectoryPacker packer(80, false, {});
  EXPECT_TRUE(packer.add(item("a", 1)));         // 24 + 1 -> 32
  EXPECT_TRUE(packer.add(item("12345678", 2)));  // 24 + 8 -> 32
  EXPECT_FALSE(packer.add(item("b", 3)));
  ASSERT_EQ(packer.bytes().size(), 64u);
  fuse_dirent second{};
  std::memcpy(&second, packer.bytes().data() + 32, FUSE_NAME_OFFSET);
  EXPECT_EQ(second.ino, 102u);
  EXPECT_EQ(second.off, 2u);
  EXPECT_EQ(second.namelen, 8u);
  EXPECT_EQ(second.type, DT_REG);
  EXPECT_EQ(packer.bytes().substr(32 + FUSE_NAME_OFFSET, 8), "12345678");
}

TEST(DirectoryPacker, WithLookupsAnItemWithoutEntryHasNodeZero) {
  DirectoryPacker packer(4096, true, {.entry_ms = 1000});
  EXPECT_TRUE(packer.add(item(".", 1)));
  vfs::DirectoryItem full = item("full", 2);
  full.entry = vfs::Entry{{.value = 7}, {}};
  EXPECT_TRUE(packer.add(full));
  fuse_entry_out first{};
  fuse_entry_out second{};
  const size_t first_size = FUSE_DIRENT_ALIGN(FUSE_NAME_OFFSET_DIRENTPLUS + 1);
  std::memcpy(&first, packer.bytes().data(), sizeof(first));
  std::memcpy(&second, packer.bytes().data() + first_size, sizeof(second));
  EXPECT_EQ(first.nodeid, 0u);
  EXPECT_EQ(second.nodeid, 7u);
  EXPECT_EQ(second.entry_valid, 1u);
}

}  // namespace
}  // namespace weir::fuse
