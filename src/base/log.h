#pragma once

#include <fmt/format.h>

#include <string>
#include <string_view>
#include <utility>

/// One line a call, on stderr (with syslog priority prefixes when journald reads it) and in a file when one is set.
/// Thread-safe. The only process-wide state in Weir.
namespace weir::log {

enum class Level { kDebug, kInfo, kWarning, kError };

void write(Level level, std::string_view line);
/// Lines below this level are dropped. Default: kInfo.
void set_level(Level level);
/// Drops all lines until set_file() is called: for programs whose standard error is for their own words.
void mute();
/// Appends to `path` from now on instead of stderr. False when it cannot be opened.
bool set_file(const std::string& path);

template <class... Args>
void debug(fmt::format_string<Args...> format, Args&&... args) {
  write(Level::kDebug, fmt::format(format, std::forward<Args>(args)...));
}
template <class... Args>
void info(fmt::format_string<Args...> format, Args&&... args) {
  write(Level::kInfo, fmt::format(format, std::forward<Args>(args)...));
}
template <class... Args>
void warning(fmt::format_string<Args...> format, Args&&... args) {
  write(Level::kWarning, fmt::format(format, std::forward<Args>(args)...));
}
template <class... Args>
void error(fmt::format_string<Args...> format, Args&&... args) {
  write(Level::kError, fmt::format(format, std::forward<Args>(args)...));
}

}  // namespace weir::log
