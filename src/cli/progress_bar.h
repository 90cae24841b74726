#pragma once

#include <cstdint>
#include <string>

namespace weir::cli {

/// One line on stderr that shows how far a long command is; nothing unless stderr is a terminal. The destructor wipes
/// it. Thread rule: one thread.
class ProgressBar {
 public:
  /// `quiet`: shows nothing in any case.
  ProgressBar(std::string label, bool quiet);
  ~ProgressBar();
  ProgressBar(const ProgressBar&) = delete;
  ProgressBar& operator=(const ProgressBar&) = delete;

  /// `total` 0: unknown. `detail` stands behind the bar.
  void show(uint64_t done, uint64_t total, const std::string& detail);
  /// A line that stays, also where stderr is no terminal: why it takes long. The first one is shown, and others when
  /// their beginning is another.
  void say(const std::string& why);

 private:
  const std::string label_;
  const bool quiet_;
  const bool visible_;
  std::string said_;
};

/// "[=====     ] 50 %", `width` columns between the brackets. Requires: total > 0.
std::string bar(uint64_t done, uint64_t total, size_t width);

}  // namespace weir::cli
