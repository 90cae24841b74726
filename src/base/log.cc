#include "base/log.h"

#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <atomic>
#include <cstdlib>

namespace weir::log {

namespace {

std::atomic<bool> muted{false};

std::shared_ptr<spdlog::logger> make_stderr_logger() {
  auto logger = spdlog::stderr_logger_mt("weir");
  // journald sets JOURNAL_STREAM, stamps lines itself, and reads "<N>" as the priority.
  logger->set_pattern(std::getenv("JOURNAL_STREAM") != nullptr ? "%v" : "%Y-%m-%dT%H:%M:%S.%e %l %v");
  return logger;
}

std::shared_ptr<spdlog::logger>& logger() {
  static std::shared_ptr<spdlog::logger> instance = make_stderr_logger();
  return instance;
}

spdlog::level::level_enum spdlog_level(Level level) {
  switch (level) {
    case Level::kDebug: return spdlog::level::debug;
    case Level::kInfo: return spdlog::level::info;
    case Level::kWarning: return spdlog::level::warn;
    case Level::kError: return spdlog::level::err;
  }
  return spdlog::level::err;
}

std::string_view journal_prefix(Level level) {
  static const bool journal = std::getenv("JOURNAL_STREAM") != nullptr;
  if (!journal) return "";
  switch (level) {
    case Level::kDebug: return "<7>";
    case Level::kInfo: return "<6>";
    case Level::kWarning: return "<4>";
    case Level::kError: return "<3>";
  }
  return "";
}

}  // namespace

void write(Level level, std::string_view line) {
  if (!muted) logger()->log(spdlog_level(level), "{}{}", journal_prefix(level), line);
}

void mute() { muted = true; }

void set_level(Level level) { logger()->set_level(spdlog_level(level)); }

bool set_file(const std::string& path) {
  try {
    auto sink = std::make_shared<spdlog::sinks::basic_file_sink_mt>(path);
    auto file_logger = std::make_shared<spdlog::logger>("weir", sink);
    file_logger->set_pattern("%Y-%m-%dT%H:%M:%S.%e %l %v");
    file_logger->set_level(logger()->level());
    file_logger->flush_on(spdlog::level::debug);
    logger() = file_logger;
    muted = false;
    return true;
  } catch (const spdlog::spdlog_ex&) {
    return false;
  }
}

}  // namespace weir::log
