#include "fuse/dispatcher.h"

#include <dirent.h>
#include <linux/fs.h>
#include <sys/xattr.h>

#include <set>

#include "fuse/dispatcher_fixture.h"

namespace weir::fuse {
namespace {

constexpr uint32_t kDevice = 1 << 8 | 3;  // makedev(1, 3)

TEST_F(DispatcherTest, ADirectoryIsMadeFoundRenamedAndRemoved) {
  const uint64_t made = make_directory(root_, "d");
  EXPECT_EQ(lookup(root_, "d").as<fuse_entry_out>().nodeid, made);
  EXPECT_EQ(attributes(made).mode, S_IFDIR | 0755u);
  const fuse_rename2_in in{root_, 0, 0};
  EXPECT_EQ(error_of(FUSE_RENAME2, root_, Body().add(in).name("d").name("e")), 0);
  EXPECT_EQ(lookup(root_, "e").as<fuse_entry_out>().attr.ino, attributes(made).ino);
  EXPECT_EQ(error_of(FUSE_RMDIR, root_, Body().name("e")), 0);
  EXPECT_EQ(error_of(FUSE_RMDIR, root_, Body().name("e")), ENOENT);
}

TEST_F(DispatcherTest, AnAbsentNameIsAnsweredSoThatTheKernelRemembersIt) {
  const Answer absent = lookup(root_, "nothing");
  EXPECT_EQ(absent.error, 0);
  EXPECT_EQ(absent.as<fuse_entry_out>().nodeid, 0u);
  EXPECT_EQ(absent.as<fuse_entry_out>().entry_valid, 5u);
}

TEST_F(DispatcherTest, LinksAndSymlinks) {
  const OpenFile file = create(root_, "f");
  const Answer linked = call(FUSE_LINK, root_, Body().add(fuse_link_in{file.node}).name("g"));
  EXPECT_EQ(linked.as<fuse_entry_out>().attr.nlink, 2u);
  EXPECT_EQ(release(file), 0);
  EXPECT_EQ(error_of(FUSE_UNLINK, root_, Body().name("f")), 0);
  EXPECT_EQ(lookup(root_, "g").as<fuse_entry_out>().attr.nlink, 1u);
  const Answer symlink = call(FUSE_SYMLINK, root_, Body().name("s").name("to/where"));
  EXPECT_EQ(symlink.error, 0);
  EXPECT_EQ(call(FUSE_READLINK, symlink.as<fuse_entry_out>().nodeid).payload, "to/where");
}

TEST_F(DispatcherTest, RenameFlagsAreHonouredOrRefused) {
  make_directory(root_, "a");
  make_directory(root_, "b");
  const uint64_t a_ino = lookup(root_, "a").as<fuse_entry_out>().attr.ino;
  auto rename = [&](uint32_t flags) {
    return error_of(FUSE_RENAME2, root_, Body().add(fuse_rename2_in{root_, flags, 0}).name("a").name("b"));
  };
  EXPECT_EQ(rename(RENAME_NOREPLACE), EEXIST);
  EXPECT_EQ(rename(RENAME_WHITEOUT), EINVAL);
  EXPECT_EQ(rename(RENAME_NOREPLACE | RENAME_EXCHANGE), EINVAL);
  EXPECT_EQ(rename(RENAME_EXCHANGE), 0);
  EXPECT_EQ(lookup(root_, "b").as<fuse_entry_out>().attr.ino, a_ino);
}

TEST_F(DispatcherTest, SpecialFilesKeepTheirDeviceAndTypeAndOwner) {
  kernel_.set_caller({1000, 1001, 1});
  const fuse_mknod_in in{S_IFCHR | 0666, kDevice, 0, 0};
  const Answer made = call(FUSE_MKNOD, root_, Body().add(in).name("null"));
  ASSERT_EQ(made.error, 0);
  const fuse_attr attr = made.as<fuse_entry_out>().attr;
  EXPECT_EQ(attr.mode, S_IFCHR | 0666u);
  EXPECT_EQ(attr.rdev, kDevice);
  EXPECT_EQ(attr.uid, 1000u);
  EXPECT_EQ(attr.gid, 1001u);
}

TEST_F(DispatcherTest, WrittenBytesAreReadBackBeforeAndAfterClose) {
  const OpenFile file = create(root_, "f");
  EXPECT_EQ(write(file, 0, "hello "), 0);
  EXPECT_EQ(write(file, 6, "world"), 0);
  EXPECT_EQ(read(file, 0, 4096).payload, "hello world");
  EXPECT_EQ(flush(file), 0);
  EXPECT_EQ(release(file), 0);
  const OpenFile again = open(file.node);
  EXPECT_EQ(read(again, 6, 4096).payload, "world");
  EXPECT_EQ(read(again, 100, 4096).payload, "");
  EXPECT_EQ(release(again, O_RDONLY), 0);
  EXPECT_EQ(attributes(file.node).size, 11u);
}

TEST_F(DispatcherTest, AMebibyteGoesThroughWhole) {
  const size_t size = std::min<size_t>(limits::kFuseIoBytes, kernel_.message_bytes_max() - 4096);
  std::string content(size, '\0');
  for (size_t i = 0; i < size; ++i) content[i] = static_cast<char>(i * 2654435761u >> 11);
  const OpenFile file = create(root_, "big");
  for (uint64_t offset = 0; offset < 6 * size; offset += size) ASSERT_EQ(write(file, offset, content), 0);
  EXPECT_EQ(flush(file), 0);
  for (uint64_t offset = 0; offset < 6 * size; offset += size) {
    EXPECT_TRUE(read(file, offset, static_cast<uint32_t>(size)).payload == content) << offset;
  }
  EXPECT_EQ(release(file), 0);
}

TEST_F(DispatcherTest, ARenameOfAFileOpenForWritingPublishesItFirst) {
  const OpenFile file = create(root_, "temporary");
  EXPECT_EQ(write(file, 0, "content"), 0);
  EXPECT_EQ(error_of(FUSE_RENAME, root_, Body().add(fuse_rename_in{root_}).name("temporary").name("final")), 0);
  const Answer found = lookup(root_, "final");
  EXPECT_EQ(found.as<fuse_entry_out>().attr.size, 7u);
  const OpenFile reader = open(found.as<fuse_entry_out>().nodeid);
  EXPECT_EQ(read(reader, 0, 100).payload, "content");
  EXPECT_EQ(release(reader, O_RDONLY), 0);
  EXPECT_EQ(release(file), 0);
}

TEST_F(DispatcherTest, TruncationAndTimesBySetattr) {
  const OpenFile file = create(root_, "f");
  EXPECT_EQ(write(file, 0, "0123456789"), 0);
  fuse_setattr_in in{};
  in.valid = FATTR_SIZE | FATTR_FH | FATTR_MTIME;
  in.size = 4;
  in.fh = file.handle;
  in.mtime = 1'000'000;
  in.mtimensec = 5;
  const fuse_attr attr = call(FUSE_SETATTR, file.node, Body().add(in)).as<fuse_attr_out>().attr;
  EXPECT_EQ(attr.size, 4u);
  EXPECT_EQ(attr.mtime, 1'000'000u);
  EXPECT_EQ(attr.mtimensec, 5u);
  EXPECT_EQ(read(file, 0, 100).payload, "0123");
  EXPECT_EQ(release(file), 0);
}

TEST_F(DispatcherTest, AnUnnamedFileGetsANameByLink) {
  const fuse_create_in in{O_RDWR | O_TMPFILE, S_IFREG | 0600, 0, 0};
  const Answer made = call(FUSE_TMPFILE, root_, Body().add(in).name("/"));
  ASSERT_EQ(made.error, 0);
  const OpenFile file = created(made);
  EXPECT_EQ(attributes(file.node).nlink, 0u);
  EXPECT_EQ(write(file, 0, "x"), 0);
  EXPECT_EQ(error_of(FUSE_LINK, root_, Body().add(fuse_link_in{file.node}).name("named")), 0);
  EXPECT_EQ(release(file), 0);
  EXPECT_EQ(lookup(root_, "named").as<fuse_entry_out>().attr.size, 1u);
}

TEST_F(DispatcherTest, HolesAreFoundAndMade) {
  const OpenFile file = create(root_, "sparse");
  const uint64_t far = 3 * limits::kChunkBytes;
  EXPECT_EQ(write(file, far, "data"), 0);
  EXPECT_EQ(flush(file), 0);
  auto seek = [&](uint64_t offset, uint32_t whence) {
    return call(FUSE_LSEEK, file.node, Body().add(fuse_lseek_in{file.handle, offset, whence, 0}));
  };
  EXPECT_EQ(seek(0, SEEK_DATA).as<fuse_lseek_out>().offset, far);
  EXPECT_EQ(seek(0, SEEK_HOLE).as<fuse_lseek_out>().offset, 0u);
  EXPECT_EQ(seek(far + 4, SEEK_DATA).error, ENXIO);
  EXPECT_EQ(seek(0, SEEK_END).error, EINVAL);
  fuse_fallocate_in in{};
  in.fh = file.handle;
  in.offset = far;
  in.length = 2;
  in.mode = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;
  EXPECT_EQ(error_of(FUSE_FALLOCATE, file.node, Body().add(in)), 0);
  EXPECT_EQ(read(file, far, 4).payload, std::string("\0\0ta", 4));
  EXPECT_EQ(release(file), 0);
}

TEST_F(DispatcherTest, CopyRangeCopiesByBothOpcodes) {
  const OpenFile from = create(root_, "from");
  const OpenFile to = create(root_, "to");
  EXPECT_EQ(write(from, 0, "0123456789"), 0);
  fuse_copy_file_range_in in{};
  in.fh_in = from.handle;
  in.off_in = 2;
  in.nodeid_out = to.node;
  in.fh_out = to.handle;
  in.len = 5;
  EXPECT_EQ(call(FUSE_COPY_FILE_RANGE, from.node, Body().add(in)).as<fuse_write_out>().size, 5u);
  in.off_out = 5;
  in.len = uint64_t{1} << 40;
  EXPECT_EQ(call(kOpCopyFileRange64, from.node, Body().add(in)).as<CopyFileRangeOut>().bytes_copied, 8u);
  EXPECT_EQ(read(to, 0, 100).payload, "2345623456789");
  EXPECT_EQ(release(from), 0);
  EXPECT_EQ(release(to), 0);
}

TEST_F(DispatcherTest, FsyncOfFileAndDirectorySucceeds) {
  const OpenFile file = create(root_, "f");
  EXPECT_EQ(write(file, 0, "x"), 0);
  EXPECT_EQ(error_of(FUSE_FSYNC, file.node, Body().add(fuse_fsync_in{file.handle, 0, 0})), 0);
  EXPECT_EQ(error_of(FUSE_FSYNC, file.node, Body().add(fuse_fsync_in{file.handle, FUSE_FSYNC_FDATASYNC, 0})), 0);
  EXPECT_EQ(release(file), 0);
  EXPECT_EQ(error_of(FUSE_FSYNCDIR, root_, Body().add(fuse_fsync_in{})), 0);
}

TEST_F(DispatcherTest, AStaleHandleIsBad) {
  const OpenFile file = create(root_, "f");
  EXPECT_EQ(release(file), 0);
  EXPECT_EQ(read(file, 0, 10).error, EBADF);
  EXPECT_EQ(write(file, 0, "x"), EBADF);
  EXPECT_EQ(read({file.node, 987654321}, 0, 10).error, EBADF);
}

TEST_F(DispatcherTest, StatxTellsTheTimeOfBirthAndStatfsTheSpace) {
  const OpenFile file = create(root_, "f");
  const auto out = call(kOpStatx, file.node, Body().add(StatxIn{})).as<StatxOut>();
  EXPECT_GT(out.stat.btime.tv_sec, 1'600'000'000);
  EXPECT_EQ(out.stat.ino, attributes(file.node).ino);
  EXPECT_EQ(out.stat.mode, S_IFREG | 0644u);
  const auto space = call(FUSE_STATFS, root_).as<fuse_statfs_out>();
  EXPECT_EQ(space.st.namelen, 255u);
  EXPECT_GT(space.st.blocks, 0u);
  EXPECT_EQ(release(file), 0);
}

TEST_F(DispatcherTest, EveryEntryIsReadOnceThroughSmallBuffersWithAndWithoutLookups) {
  std::set<std::string> expected = {".", ".."};
  const uint64_t directory = make_directory(root_, "d");
  for (int i = 0; i < 300; ++i) {
    const std::string name = "entry-" + std::string(static_cast<size_t>(i % 50), 'x') + std::to_string(i);
    make_directory(directory, name);
    expected.insert(name);
  }
  for (const uint32_t opcode : {uint32_t{FUSE_READDIR}, uint32_t{FUSE_READDIRPLUS}}) {
    std::multiset<std::string> names;
    uint64_t cookie = 0;
    while (true) {
      fuse_read_in in{};
      in.offset = cookie;
      in.size = 1024;
      const Answer answer = call(opcode, directory, Body().add(in));
      ASSERT_EQ(answer.error, 0);
      ASSERT_LE(answer.payload.size(), 1024u);
      if (answer.payload.empty()) break;
      std::string_view rest = answer.payload;
      while (!rest.empty()) {
        fuse_entry_out entry{};
        const size_t head = opcode == FUSE_READDIRPLUS ? sizeof(entry) : 0;
        if (head != 0) std::memcpy(&entry, rest.data(), sizeof(entry));
        fuse_dirent dirent{};
        std::memcpy(&dirent, rest.data() + head, FUSE_NAME_OFFSET);
        const std::string name(rest.substr(head + FUSE_NAME_OFFSET, dirent.namelen));
        if (head != 0) {
          EXPECT_EQ(entry.nodeid == 0, name == "." || name == "..") << name;
        }
        EXPECT_EQ(dirent.type, DT_DIR);
        names.insert(name);
        cookie = dirent.off;
        rest.remove_prefix(FUSE_DIRENT_ALIGN(head + FUSE_NAME_OFFSET + dirent.namelen));
      }
    }
    EXPECT_EQ(names.size(), expected.size());
    EXPECT_EQ(std::set<std::string>(names.begin(), names.end()), expected);
    fuse_release_in released{};
    released.fh = 0;
    EXPECT_EQ(error_of(FUSE_RELEASEDIR, directory, Body().add(released)), 0);
  }
}

TEST_F(DispatcherTest, SizesAreProbedAndShortBuffersRefused) {
  const uint64_t node = make_directory(root_, "d");
  auto set = [&](const std::string& name, const std::string& value, uint32_t flags) {
    const fuse_setxattr_in in{static_cast<uint32_t>(value.size()), flags, 0, 0};
    return error_of(FUSE_SETXATTR, node, Body().add(in).name(name).bytes(value));
  };
  auto get = [&](uint32_t size) {
    return call(FUSE_GETXATTR, node, Body().add(fuse_getxattr_in{size, 0}).name("user.a"));
  };
  EXPECT_EQ(get(0).error, ENODATA);
  EXPECT_EQ(set("user.a", "value", XATTR_REPLACE), ENODATA);
  EXPECT_EQ(set("user.a", "value", XATTR_CREATE), 0);
  EXPECT_EQ(set("user.a", "value", XATTR_CREATE), EEXIST);
  EXPECT_EQ(set("user.a", "value", XATTR_CREATE | XATTR_REPLACE), EINVAL);
  EXPECT_EQ(set("user.b", "", 0), 0);
  EXPECT_EQ(get(0).as<fuse_getxattr_out>().size, 5u);
  EXPECT_EQ(get(4).error, ERANGE);
  EXPECT_EQ(get(5).payload, "value");

  auto list = [&](uint32_t size) { return call(FUSE_LISTXATTR, node, Body().add(fuse_getxattr_in{size, 0})); };
  EXPECT_EQ(list(0).as<fuse_getxattr_out>().size, 14u);
  EXPECT_EQ(list(13).error, ERANGE);
  EXPECT_EQ(list(14).payload, std::string("user.a\0user.b\0", 14));
  EXPECT_EQ(error_of(FUSE_REMOVEXATTR, node, Body().name("user.a")), 0);
  EXPECT_EQ(error_of(FUSE_REMOVEXATTR, node, Body().name("user.a")), ENODATA);
}

std::string lock_body(uint64_t handle, uint64_t owner, uint32_t type, uint32_t flags = 0) {
  fuse_lk_in in{};
  in.fh = handle;
  in.owner = owner;
  in.lk = {0, INT64_MAX, type, static_cast<uint32_t>(owner)};
  in.lk_flags = flags;
  return std::string(std::string_view(testing::Body().add(in)));
}

TEST_F(DispatcherTest, AConflictIsRefusedTestedAndGoneAfterUnlock) {
  const OpenFile file = create(root_, "f");
  EXPECT_EQ(error_of(FUSE_SETLK, file.node, lock_body(file.handle, 1, F_WRLCK)), 0);
  EXPECT_EQ(error_of(FUSE_SETLK, file.node, lock_body(file.handle, 2, F_RDLCK)), EAGAIN);
  const auto found = call(FUSE_GETLK, file.node, lock_body(file.handle, 2, F_RDLCK)).as<fuse_lk_out>();
  EXPECT_EQ(found.lk.type, static_cast<uint32_t>(F_WRLCK));
  EXPECT_EQ(found.lk.pid, 1u);
  EXPECT_EQ(error_of(FUSE_SETLK, file.node, lock_body(file.handle, 1, F_UNLCK)), 0);
  EXPECT_EQ(call(FUSE_GETLK, file.node, lock_body(file.handle, 2, F_RDLCK)).as<fuse_lk_out>().lk.type,
            static_cast<uint32_t>(F_UNLCK));
  EXPECT_EQ(release(file), 0);
}

TEST_F(DispatcherTest, AWaiterGetsTheLockWhenItIsReleasedByClose) {
  const OpenFile file = create(root_, "f");
  EXPECT_EQ(error_of(FUSE_SETLK, file.node, lock_body(file.handle, 1, F_WRLCK)), 0);
  const uint64_t waiting = kernel_.send(FUSE_SETLKW, file.node, lock_body(file.handle, 2, F_WRLCK));
  EXPECT_FALSE(kernel_.wait(waiting, 50).has_value());
  EXPECT_EQ(flush(file, 1), 0);
  EXPECT_EQ(kernel_.wait(waiting)->error, 0);
  EXPECT_EQ(release(file), 0);
}

TEST_F(DispatcherTest, ASignalEndsTheWaitEvenIfItComesFirst) {
  const OpenFile file = create(root_, "f");
  EXPECT_EQ(error_of(FUSE_SETLK, file.node, lock_body(file.handle, 1, F_WRLCK, FUSE_LK_FLOCK)), 0);
  const uint64_t waiting = kernel_.send(FUSE_SETLKW, file.node, lock_body(file.handle, 2, F_WRLCK, FUSE_LK_FLOCK));
  EXPECT_FALSE(kernel_.wait(waiting, 50).has_value());
  kernel_.send_interrupt(waiting);
  EXPECT_EQ(kernel_.wait(waiting)->error, EINTR);

  kernel_.send_interrupt(waiting + 2);
  EXPECT_EQ(error_of(FUSE_SETLKW, file.node, lock_body(file.handle, 2, F_WRLCK, FUSE_LK_FLOCK)), EINTR);
  fuse_release_in in{};
  in.fh = file.handle;
  in.flags = O_RDWR;
  in.release_flags = FUSE_RELEASE_FLOCK_UNLOCK;
  in.lock_owner = 1;
  EXPECT_EQ(error_of(FUSE_RELEASE, file.node, Body().add(in)), 0);
  const OpenFile again = open(file.node, O_RDWR);
  EXPECT_EQ(error_of(FUSE_SETLK, file.node, lock_body(again.handle, 2, F_WRLCK, FUSE_LK_FLOCK)), 0);
  EXPECT_EQ(release(again), 0);
}

TEST_F(DispatcherTest, WhatIsNotOfferedHasTheErrnoThatProgramsExpect) {
  EXPECT_EQ(error_of(FUSE_IOCTL, root_, Body().add(fuse_ioctl_in{})), ENOTTY);
  for (const uint32_t opcode : {uint32_t{FUSE_ACCESS}, uint32_t{FUSE_BMAP}, uint32_t{FUSE_POLL}, uint32_t{FUSE_SYNCFS},
                                uint32_t{FUSE_SETUPMAPPING}, uint32_t{FUSE_REMOVEMAPPING}, 54u, 9999u}) {
    EXPECT_EQ(error_of(opcode, root_, std::string(64, '\0')), ENOSYS) << opcode;
  }
}

TEST_F(DispatcherTest, BodiesCutAtAnyPlaceOrFullOfNonsenseNeverStopTheService) {
  for (uint32_t opcode = 1; opcode <= kOpLast; ++opcode) {
    if (opcode == FUSE_FORGET || opcode == FUSE_BATCH_FORGET || opcode == FUSE_INIT || opcode == FUSE_INTERRUPT ||
        opcode == FUSE_NOTIFY_REPLY || opcode == FUSE_DESTROY) {
      continue;
    }
    for (size_t size : {0, 1, 7, 8, 15, 16, 23, 24, 31, 40, 47, 56, 64, 88, 100}) {
      for (char filling : {'\0', '\xff', 'A'}) {
        const Answer answer = call(opcode, 12345, std::string(size, filling));
        EXPECT_NE(answer.error, ETIME) << opcode_name(opcode) << ' ' << size;
      }
    }
  }
  make_directory(root_, "still alive");
  EXPECT_EQ(kernel_.stray_answers(), 0u);
}

}  // namespace
}  // namespace weir::fuse
