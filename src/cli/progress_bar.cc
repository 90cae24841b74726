#include "cli/progress_bar.h"

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <utility>

#include <fmt/format.h>

namespace weir::cli {

namespace {

constexpr size_t kBarColumns = 30;
constexpr const char* kClearLine = "\r\033[K";

}  // namespace

ProgressBar::ProgressBar(std::string label, bool quiet)
    : label_(std::move(label)), quiet_(quiet), visible_(!quiet && ::isatty(2) == 1) {}

ProgressBar::~ProgressBar() {
  if (visible_) fmt::print(stderr, "{}", kClearLine);
}

void ProgressBar::show(uint64_t done, uint64_t total, const std::string& detail) {
  if (!visible_) return;
  fmt::print(stderr, "{}{} {}{}{}", kClearLine, label_, total > 0 ? bar(done, total, kBarColumns) : "",
             total > 0 ? " " : "", detail);
  std::fflush(stderr);
}

void ProgressBar::say(const std::string& why) {
  // Seconds and rates in it change all the time.
  const std::string begin = why.substr(0, why.find_first_of("0123456789"));
  if (quiet_ || begin == said_) return;
  said_ = begin;
  fmt::print(stderr, "{}{}: {}\n", visible_ ? kClearLine : "", label_, why);
  std::fflush(stderr);
}

std::string bar(uint64_t done, uint64_t total, size_t width) {
  double part = std::min(1.0, static_cast<double>(done) / static_cast<double>(total));
  auto filled = static_cast<size_t>(part * static_cast<double>(width));
  return fmt::format("[{}{}] {:3.0f} %", std::string(filled, '='), std::string(width - filled, ' '), part * 100);
}

}  // namespace weir::cli
