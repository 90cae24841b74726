#pragma once

#include <array>
#include <cstdint>
#include <cstdio>
#include <string>

namespace weir::exerciser {

// The operations a process did last, to be printed when something differs. With a trace file, all of them.
class History {
 public:
  explicit History(std::FILE* trace) : trace_(trace) {}

  void begin(std::string operation);
  void end(const std::string& result);
  uint64_t count() const { return count_; }
  void print(std::FILE* file) const;

 private:
  static constexpr uint64_t kKept = 60;

  std::FILE* trace_;
  uint64_t count_ = 0;
  std::array<std::string, kKept> last_;
};

}  // namespace weir::exerciser
