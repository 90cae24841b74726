#include "fuse/mount_info.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>

#include "testing/temporary_directory.h"

namespace weir::fuse {
namespace {

constexpr std::string_view kMounts =
    "22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw\n"
    "40 22 0:39 / /data rw,nosuid,nodev,relatime shared:7 master:3 - fuse.weir models rw,user_id=0,group_id=0\n"
    "41 22 0:40 / /mnt/my\\040data\\134x rw - fuse.weir other\\040volume rw\n"
    "42 40 0:41 / /data/inner rw - tmpfs none rw\n"
    "43 22 0:42 / /stack rw - ext4 /dev/vdb rw\n"
    "44 43 0:43 /sub /stack rw - fuse.weir upper rw\n";

TEST(MountInfo, ParsesOptionalFieldsAndEscapes) {
  const auto mounts = parse_mount_info(kMounts);
  ASSERT_EQ(mounts.size(), 6u);
  EXPECT_EQ(mounts[1].mount_point, "/data");
  EXPECT_EQ(mounts[1].source, "models");
  EXPECT_EQ(mounts[1].options, "rw,user_id=0,group_id=0");
  EXPECT_EQ(mounts[1].device_minor, 39u);
  EXPECT_TRUE(mounts[1].is_weir());
  EXPECT_EQ(mounts[2].mount_point, "/mnt/my data\\x");
  EXPECT_EQ(mounts[2].source, "other volume");
  EXPECT_EQ(mounts[5].root, "/sub");
}

TEST(MountInfo, LeavesOutLinesThatMakeNoSense) {
  EXPECT_TRUE(parse_mount_info("").empty());
  EXPECT_TRUE(parse_mount_info("1 2 3\n\n- - -\n").empty());
  EXPECT_TRUE(parse_mount_info("22 1 254:x / / rw - ext4 /dev/vda rw\n").empty());
  EXPECT_TRUE(parse_mount_info("22 1 254:0 / / rw shared:1 ext4 /dev/vda rw\n").empty());
  EXPECT_EQ(parse_mount_info("22 1 254:0 / / rw - ext4 /dev/vda rw").size(), 1u);
}

TEST(MountInfo, TheLongestMountPointByWholeComponentsCovers) {
  const auto mounts = parse_mount_info(kMounts);
  EXPECT_EQ(covering_mount(mounts, "/data")->source, "models");
  EXPECT_EQ(covering_mount(mounts, "/data/a/b")->source, "models");
  EXPECT_EQ(covering_mount(mounts, "/database")->fs_type, "ext4");
  EXPECT_EQ(covering_mount(mounts, "/data/inner/x")->fs_type, "tmpfs");
  EXPECT_EQ(covering_mount(mounts, "/stack/x")->source, "upper");
  EXPECT_FALSE(covering_mount({}, "/data").has_value());
}

TEST(MountInfo, PathsAreMadeAbsoluteWithoutLooking) {
  EXPECT_EQ(lexically_absolute("/a//b/../c/./"), "/a/c");
  EXPECT_EQ(lexically_absolute("/"), "/");
  EXPECT_EQ(lexically_absolute("x/y"), (std::filesystem::current_path() / "x/y").string());
}

TEST(MountInfo, AnOrdinaryDirectoryIsInNoMountOfWeir) {
  testing::TemporaryDirectory directory;
  EXPECT_FALSE(find_mount(directory.path()).has_value());
  EXPECT_FALSE(find_mount(directory.path() + "/absent/file").has_value());
  EXPECT_FALSE(read_mounts().empty());
}

}  // namespace
}  // namespace weir::fuse
