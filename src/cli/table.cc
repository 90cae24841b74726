#include "cli/table.h"

#include <fmt/format.h>

#include <algorithm>

namespace weir::cli {

std::string Table::text() const {
  size_t widest = 0;
  for (const Row& row : rows_) widest = std::max(widest, row.name.size());
  std::string text;
  for (const Row& row : rows_) text += fmt::format("{:<{}}  {}\n", row.name, widest, row.value);
  return text;
}

std::string counted(uint64_t count, std::string_view one) {
  return fmt::format("{} {}{}", count, one, count == 1 ? "" : "s");
}

std::string duration_text(uint64_t seconds) {
  if (seconds < 60) return fmt::format("{} s", seconds);
  if (seconds < 3600) return fmt::format("{} min", seconds / 60);
  if (seconds < 86400) return fmt::format("{} h {} min", seconds / 3600, seconds / 60 % 60);
  return fmt::format("{} d {} h", seconds / 86400, seconds / 3600 % 24);
}

}  // namespace weir::cli
