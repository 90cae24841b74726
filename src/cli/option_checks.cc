#include "cli/option_checks.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "base/size_text.h"
#include "daemon/volume/metadata_url.h"
#include "http/address.h"

namespace weir::cli {

OptionCheck size_of_at_least(uint64_t bytes_min) {
  return [bytes_min](const std::string& text) -> std::string {
    auto bytes = parse_bytes(text);
    if (!bytes) return bytes.error().what;
    if (*bytes < bytes_min) return fmt::format("'{}' is too small; the least is {}", text, format_bytes(bytes_min));
    return "";
  };
}

OptionCheck duration_of_at_least(int64_t min_ms) {
  return [min_ms](const std::string& text) -> std::string {
    auto duration_ms = parse_duration_ms(text);
    if (!duration_ms) return duration_ms.error().what;
    if (*duration_ms < min_ms) return fmt::format("'{}' is too short; the least is {} ms", text, min_ms);
    return "";
  };
}

OptionCheck metadata_url() {
  return [](const std::string& text) -> std::string {
    auto url = parse_metadata_url(text);
    return url ? "" : url.error().what;
  };
}

OptionCheck network_address() {
  return [](const std::string& text) -> std::string {
    if (text == "none") return "";
    auto address = http::Address::parse(text);
    return address ? "" : address.error().what;
  };
}

OptionCheck one_of(const std::vector<std::string>& values) {
  return [values](const std::string& text) -> std::string {
    if (std::find(values.begin(), values.end(), text) != values.end()) return "";
    return fmt::format("'{}' is none of {}", text, fmt::join(values, ", "));
  };
}

OptionCheck not_empty(const std::string& what) {
  return [what](const std::string& text) { return text.empty() ? what + " is empty" : ""; };
}

}  // namespace weir::cli
