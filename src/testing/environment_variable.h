#pragma once

#include <cstdlib>
#include <string>

namespace weir::testing {

/// Sets a variable of this process's environment, and puts it back in the end. Empty: unset. Thread rule: nobody else
/// may look at the environment meanwhile but the code under test.
class EnvironmentVariable {
 public:
  EnvironmentVariable(std::string name, const std::string& value) : name_(std::move(name)) {
    if (const char* before = std::getenv(name_.c_str())) before_ = before;
    set(value);
  }
  ~EnvironmentVariable() { set(before_); }
  EnvironmentVariable(const EnvironmentVariable&) = delete;
  EnvironmentVariable& operator=(const EnvironmentVariable&) = delete;

 private:
  void set(const std::string& value) const {
    value.empty() ? ::unsetenv(name_.c_str()) : ::setenv(name_.c_str(), value.c_str(), 1);
  }

  const std::string name_;
  std::string before_;
};

}  // namespace weir::testing
