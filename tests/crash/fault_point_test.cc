// The process dies at every fault point; the next life has all that was closed, and a clean check.
#include "base/fault_point.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>

#include <cctype>

#include "base/io.h"
#include "daemon/check/check_volume.h"
#include "fault_work.h"
#include "testing/volume_fixture.h"

extern char** environ;

namespace weir::testing {
namespace {

class FaultPointTest : public ::testing::TestWithParam<std::string_view> {
 protected:
  /// False when the work was over before the point had been passed that often.
  bool dies_at(const std::string& directory, size_t pass) {
    std::string program = "/proc/self/exe", work = "--work", path = directory, point(GetParam());
    std::string number = std::to_string(pass);
    char* arguments[] = {program.data(), work.data(), path.data(), point.data(), number.data(), nullptr};
    pid_t child = 0;
    EXPECT_EQ(::posix_spawn(&child, program.c_str(), nullptr, nullptr, arguments, environ), 0);
    int status = 0;
    EXPECT_EQ(::waitpid(child, &status, 0), child);
    if (WIFSIGNALED(status)) {
      EXPECT_EQ(WTERMSIG(status), SIGKILL);
    }
    if (WIFEXITED(status)) {
      EXPECT_EQ(WEXITSTATUS(status), 0);
    }
    return WIFSIGNALED(status);
  }

  /// What the steps that were done promise, and what the one after them allows.
  PowerLedger ledger_after(size_t done) {
    PowerLedger ledger;
    const std::vector<FaultStep> steps = fault_steps();
    for (size_t step = 0; step < std::min(done + 1, steps.size()); ++step) {
      if (step == done) ledger.made_all_safe();
      steps[step](nullptr, ledger);
    }
    if (done >= steps.size()) ledger.made_all_safe();
    return ledger;
  }

  void look(TestVolume& volume, const PowerLedger& ledger) {
    std::map<std::string, PowerLedger::Found> found;
    for (const char* name : {"a", "b", "c", "d", "e", "f"}) {
      if (!volume.exists(name)) continue;
      auto bytes = volume.get(name);
      ASSERT_TRUE(bytes.has_value()) << name << ": " << bytes.error().what;
      found[name] = {volume.inode(name), std::move(*bytes)};
    }
    EXPECT_EQ(ledger.judge(found).complaint, "");
  }

  void check(TestVolume& volume, bool deep) {
    auto result = check_volume(volume.volume(), volume.store(), &volume.cache(), {.deep = deep, .live = true}, {});
    ASSERT_TRUE(result.has_value()) << result.error().what;
    for (const meta::Problem& problem : result->problems) ADD_FAILURE() << problem.kind << ": " << problem.what;
  }
};

TEST_P(FaultPointTest, what_was_closed_is_there_after_the_process_died_here) {
  size_t deaths = 0;
  for (size_t pass : {1, 3}) {
    SCOPED_TRACE(fmt::format("pass {}", pass));
    TemporaryDirectory temporary;
    const std::string directory = temporary.file("volume");
    ASSERT_TRUE(io::make_directories(directory));
    if (!dies_at(directory, pass)) continue;
    ++deaths;
    auto done = io::read_file(directory + ".done");
    ASSERT_TRUE(done.has_value());
    const PowerLedger ledger = ledger_after(done->size());
    TestVolume volume({.on_disk = true, .directory = directory});
    look(volume, ledger);
    EXPECT_TRUE(vfs::status(volume.fs()).reports.empty());
    EXPECT_TRUE(volume.lost().empty());
    check(volume, false);
    // What was half done is done now: all of it is stored, and can be read from there alone.
    volume.drain_and_evict();
    volume.collect();
    look(volume, ledger);
    check(volume, true);
    if (HasFailure()) FAIL() << done->size() << " steps were done";
  }
  EXPECT_GT(deaths, 0u) << "the work never passes this point";
}

INSTANTIATE_TEST_SUITE_P(Points, FaultPointTest, ::testing::ValuesIn(kFaultPoints), [](const auto& point) {
  std::string name(point.param);
  for (char& letter : name)
    if (std::isalnum(static_cast<unsigned char>(letter)) == 0) letter = '_';
  return name;
});

}  // namespace
}  // namespace weir::testing
