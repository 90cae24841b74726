#include "testing/s3/times.h"

#include <fmt/format.h>

#include <array>
#include <ctime>

namespace weir::testing::s3 {
namespace {

constexpr int64_t kNsPerSecond = 1'000'000'000;

std::string formatted(int64_t seconds, const char* format) {
  const std::time_t time = seconds;
  std::tm parts{};
  gmtime_r(&time, &parts);
  std::array<char, 64> text{};
  return {text.data(), std::strftime(text.data(), text.size(), format, &parts)};
}

}  // namespace

std::optional<int64_t> parse_compact_time(std::string_view text) {
  std::tm parts{};
  const std::string copy(text);
  const char* end = strptime(copy.c_str(), "%Y%m%dT%H%M%SZ", &parts);
  if (copy.size() != 16 || end == nullptr || *end != '\0') return std::nullopt;
  return timegm(&parts);
}

std::string compact_time(int64_t seconds) { return formatted(seconds, "%Y%m%dT%H%M%SZ"); }

std::string iso_time(int64_t realtime_ns) {
  return formatted(realtime_ns / kNsPerSecond, "%Y-%m-%dT%H:%M:%S") +
         fmt::format(".{:03}Z", realtime_ns % kNsPerSecond / 1'000'000);
}

std::string http_time(int64_t seconds) { return formatted(seconds, "%a, %d %b %Y %H:%M:%S GMT"); }

}  // namespace weir::testing::s3
