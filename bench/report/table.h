#pragma once

#include <string>
#include <vector>

#include "bench/figures.h"

namespace weir::bench {

/// The table of the terminal: the volume's figure, the raw disk's, ratio, floor, ratio to the floor, other places,
/// target.
class Table {
 public:
  /// `others`: labels of the places of --against.
  explicit Table(std::vector<std::string> others) : others_(std::move(others)) {}

  std::string head() const;
  /// One line, and a heading before it when a new group begins.
  std::string line(const Figures& figures);
  /// How many targets were met.
  std::string foot() const;

 private:
  std::string verdict(const Figures& figures);

  const std::vector<std::string> others_;
  std::string group_;
  int met_ = 0;
  int missed_ = 0;
};

}  // namespace weir::bench
