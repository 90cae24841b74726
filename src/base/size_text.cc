#include "base/size_text.h"

#include <array>
#include <cmath>
#include <cstdlib>
#include <optional>

namespace weir {

namespace {

constexpr double kLongestDurationMs = 100.0 * 366 * 86'400'000;

struct Number {
  double value;
  std::string_view unit;
};

std::optional<Number> split_number(std::string_view text) {
  size_t digits = text.find_first_not_of("0123456789.");
  if (digits == std::string_view::npos) digits = text.size();
  if (digits == 0 || text[0] == '.') return std::nullopt;
  std::string number(text.substr(0, digits));
  char* end = nullptr;
  double value = std::strtod(number.c_str(), &end);
  if (*end != '\0') return std::nullopt;
  return Number{value, text.substr(digits)};
}

std::optional<double> unit_bytes(std::string_view unit) {
  if (unit.empty() || unit == "B") return 1;
  static constexpr std::string_view kPrefixes = "KMGTP";
  char first = unit[0] == 'k' ? 'K' : unit[0];
  size_t power = kPrefixes.find(first);
  if (power == std::string_view::npos) return std::nullopt;
  std::string_view suffix = unit.substr(1);
  if (suffix.empty() || suffix == "iB") return std::pow(1024.0, static_cast<double>(power + 1));
  if (suffix == "B") return std::pow(1000.0, static_cast<double>(power + 1));
  return std::nullopt;
}

}  // namespace

Result<uint64_t> parse_bytes(std::string_view text) {
  auto number = split_number(text);
  auto unit = number ? unit_bytes(number->unit) : std::nullopt;
  if (!unit)
    return error(Code::kInvalid, "'{}' is not a size; write a number and a unit without blanks, such as 500GiB or 2TB",
                 text);
  double bytes = number->value * *unit;
  if (bytes >= 9.2e18)
    return error(Code::kInvalid, "'{}' is more bytes than 64 bits count; write a smaller size", text);
  return static_cast<uint64_t>(bytes);
}

std::string format_bytes(uint64_t bytes) {
  static constexpr std::array<std::string_view, 7> kUnits = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
  double value = static_cast<double>(bytes);
  size_t unit = 0;
  while (value >= 1024 && unit + 1 < kUnits.size()) {
    value /= 1024;
    ++unit;
  }
  if (unit == 0) return fmt::format("{} B", bytes);
  return fmt::format("{:.{}f} {}", value, value < 10 ? 2 : value < 100 ? 1 : 0, kUnits[unit]);
}

Result<int64_t> parse_duration_ms(std::string_view text) {
  auto number = split_number(text);
  double factor = 0;
  if (number) {
    if (number->unit == "ms") factor = 1;
    if (number->unit.empty() || number->unit == "s") factor = 1000;
    if (number->unit == "m") factor = 60'000;
    if (number->unit == "h") factor = 3'600'000;
    if (number->unit == "d") factor = 86'400'000;
  }
  if (factor == 0)
    return error(Code::kInvalid, "'{}' is not a duration; write a number and a unit, such as 250ms, 30s, 5m or 1h",
                 text);
  const double duration_ms = number->value * factor;
  if (duration_ms >= kLongestDurationMs) return error(Code::kInvalid, "'{}' is more than 100 years", text);
  return static_cast<int64_t>(duration_ms);
}

}  // namespace weir
