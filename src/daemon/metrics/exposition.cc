#include "daemon/metrics/exposition.h"

#include <fmt/format.h>

#include <cmath>
#include <string_view>

namespace weir {

namespace {

constexpr double kExactIntegers = 9007199254740992.0;  // 2^53

/// A backslash and a line end stand for themselves nowhere, a quote only outside of quotes.
std::string escaped(std::string_view text, bool quoted) {
  std::string result;
  for (const char one : text) {
    if (one == '\n') {
      result += "\\n";
      continue;
    }
    if (one == '\\' || (quoted && one == '"')) result += '\\';
    result += one;
  }
  return result;
}

std::string labels_text(const Sample& sample) {
  std::string text;
  for (const auto& [name, value] : sample.labels)
    text += fmt::format("{}{}=\"{}\"", text.empty() ? "" : ",", name, escaped(value, true));
  return text.empty() ? "" : "{" + text + "}";
}

std::string value_text(double value) {
  if (value == std::floor(value) && std::abs(value) <= kExactIntegers) return fmt::format("{:.0f}", value);
  return fmt::format("{}", value);
}

}  // namespace

std::string exposition_text(const std::vector<Metric>& metrics) {
  std::string text;
  for (const Metric& metric : metrics) {
    if (metric.samples.empty()) continue;
    text += fmt::format("# HELP {} {}\n# TYPE {} {}\n", metric.name, escaped(metric.help, false), metric.name,
                        metric.type == Metric::Type::kCounter ? "counter" : "gauge");
    for (const Sample& sample : metric.samples)
      text += fmt::format("{}{} {}\n", metric.name, labels_text(sample), value_text(sample.value));
  }
  return text;
}

}  // namespace weir
