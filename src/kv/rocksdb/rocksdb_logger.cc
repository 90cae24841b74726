#include "kv/rocksdb/rocksdb_logger.h"

#include <rocksdb/env.h>

#include <cstdarg>
#include <cstdio>
#include <cstring>

#include "base/log.h"

namespace weir::kv {
namespace {

constexpr size_t kLineBytes = 512;

class LogLines final : public rocksdb::Logger {
 public:
  LogLines() : Logger(rocksdb::InfoLogLevel::WARN_LEVEL) {}
  using Logger::Logv;

  void Logv(const char* format, va_list arguments) override {
    Logv(rocksdb::InfoLogLevel::WARN_LEVEL, format, arguments);
  }

  void Logv(const rocksdb::InfoLogLevel level, const char* format, va_list arguments) override {
    // Headers, which tell all options at every start, rank above errors.
    const bool header = level >= rocksdb::InfoLogLevel::HEADER_LEVEL;
    if (header || level < GetInfoLogLevel()) return;
    char line[kLineBytes];
    std::vsnprintf(line, sizeof line, format, arguments);
    for (size_t length = std::strlen(line); length > 0 && line[length - 1] == '\n'; --length) line[length - 1] = 0;
    const bool error = level >= rocksdb::InfoLogLevel::ERROR_LEVEL;
    log::write(error ? log::Level::kError : log::Level::kWarning, fmt::format("rocksdb: {}", line));
  }
};

}  // namespace

std::shared_ptr<rocksdb::Logger> make_rocksdb_logger() { return std::make_shared<LogLines>(); }

}  // namespace weir::kv
