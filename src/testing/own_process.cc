#include "testing/own_process.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>

namespace weir::testing {
namespace {

constexpr const char* kVariable = "WEIR_TEST_OWN_PROCESS";
constexpr char kBetween = '\n';

}  // namespace

pid_t start_own_process(const std::vector<std::string>& arguments) {
  const ::testing::TestInfo* test = ::testing::UnitTest::GetInstance()->current_test_info();
  const std::string filter = std::string("--gtest_filter=") + test->test_suite_name() + "." + test->name();
  std::string joined;
  for (const std::string& argument : arguments) joined += argument + kBetween;
  const pid_t child = ::fork();
  if (child != 0) return child;
  const int nowhere = ::open("/dev/null", O_WRONLY | O_CLOEXEC);
  ::dup2(nowhere, STDOUT_FILENO);
  ::setenv(kVariable, joined.c_str(), 1);
  ::execl("/proc/self/exe", "test", filter.c_str(), nullptr);
  ::_exit(127);
}

std::optional<std::vector<std::string>> own_process_arguments() {
  const char* joined = std::getenv(kVariable);
  if (joined == nullptr) return std::nullopt;
  std::vector<std::string> arguments;
  std::string rest = joined;
  for (size_t end = rest.find(kBetween); end != std::string::npos; end = rest.find(kBetween)) {
    arguments.push_back(rest.substr(0, end));
    rest.erase(0, end + 1);
  }
  return arguments;
}

}  // namespace weir::testing
