#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>

#include "base/file_descriptor.h"
#include "cli/mount_users.h"
#include "cli/progress_bar.h"
#include "cli/table.h"

namespace weir::cli {
namespace {

TEST(Table, ValuesStandInOneColumn) {
  EXPECT_EQ(Table().row("a", "1").row("long name", "2").text(), "a          1\nlong name  2\n");
}

TEST(Table, CountsAndDurationsReadNaturally) {
  EXPECT_EQ(counted(1, "file"), "1 file");
  EXPECT_EQ(counted(0, "file"), "0 files");
  EXPECT_EQ(duration_text(59), "59 s");
  EXPECT_EQ(duration_text(61), "1 min");
  EXPECT_EQ(duration_text(2 * 3600 + 600), "2 h 10 min");
  EXPECT_EQ(duration_text(4 * 86400 + 3 * 3600), "4 d 3 h");
}

TEST(ProgressBar, FillsWithTheWorkAndNeverBeyondItsEnd) {
  EXPECT_EQ(bar(0, 10, 4), "[    ]   0 %");
  EXPECT_EQ(bar(5, 10, 4), "[==  ]  50 %");
  EXPECT_EQ(bar(30, 10, 4), "[====] 100 %");
}

TEST(MountUsers, AProcessWithAFileOpenBelowIsFound) {
  char name[] = "/tmp/weir-users-XXXXXX";
  ASSERT_NE(::mkdtemp(name), nullptr);
  std::string directory = name;
  EXPECT_EQ(describe(users_of_mount(directory)), "");
  int ready[2];
  ASSERT_EQ(::pipe(ready), 0);
  pid_t child = ::fork();
  if (child == 0) {
    int fd = ::open((directory + "/f").c_str(), O_CREAT | O_RDWR, 0600);
    (void)!::write(ready[1], "x", 1);
    ::pause();
    ::close(fd);
    ::_exit(0);
  }
  char byte;
  ASSERT_EQ(::read(ready[0], &byte, 1), 1);
  auto users = users_of_mount(directory);
  EXPECT_TRUE(users_of_mount(directory.substr(0, directory.size() - 1)).empty()) << "a path that only begins alike";
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  ASSERT_EQ(users.size(), 1u);
  EXPECT_EQ(users[0].pid, child);
  EXPECT_NE(describe(users).find(std::to_string(child)), std::string::npos);
  ::unlink((directory + "/f").c_str());
  ::rmdir(directory.c_str());
}

}  // namespace
}  // namespace weir::cli
