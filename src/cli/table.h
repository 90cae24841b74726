#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace weir::cli {

/// Lines of a name and a value, the values in one column.
class Table {
 public:
  Table& row(std::string name, std::string value) {
    rows_.push_back({std::move(name), std::move(value)});
    return *this;
  }
  std::string text() const;

 private:
  struct Row {
    std::string name;
    std::string value;
  };
  std::vector<Row> rows_;
};

/// "1 file", "3 files"; `one` in the singular.
std::string counted(uint64_t count, std::string_view one);
/// "5 s", "3 min", "2 h 10 min", "4 d 3 h".
std::string duration_text(uint64_t seconds);

}  // namespace weir::cli
