#include "daemon/mount/state_paths.h"

#include <gtest/gtest.h>

#include <set>

namespace weir {
namespace {

TEST(StatePaths, AMountPointGivesAReadableName) {
  EXPECT_EQ(name_of_mount_point("/data"), "data");
  EXPECT_EQ(name_of_mount_point("/mnt/a/b"), "mnt+a+b");
  EXPECT_EQ(name_of_mount_point("/my-data"), "my-data");
}

TEST(StatePaths, DifferentMountPointsHaveDifferentNames) {
  std::set<std::string> names;
  for (const char* path : {"/a/b", "/a+b", "/a%2Bb", "/a%b", "/a-b", "/a/b/c", "/a+b/c", "/a/b+c"}) {
    std::string name = name_of_mount_point(path);
    EXPECT_EQ(name.find('/'), std::string::npos);
    EXPECT_TRUE(names.insert(name).second) << path << " has the name of another: " << name;
  }
}

}  // namespace
}  // namespace weir
