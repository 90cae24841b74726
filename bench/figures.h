#pragma once

#include <algorithm>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "bench/measurement.h"

namespace weir::bench {

inline double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const size_t middle = values.size() / 2;
  return values.size() % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
}

/// What one measurement gave, at each place in each round.
struct Figures {
  std::string group;
  Measurement measurement;
  std::map<std::string, std::vector<double>> samples;  // by the place's label

  /// The median. Nothing where it was not measured.
  std::optional<double> at(const std::string& label) const {
    const auto found = samples.find(label);
    if (found == samples.end() || found->second.empty()) return std::nullopt;
    return median(found->second);
  }

  /// The volume's figure as a share of that of `label`.
  std::optional<double> share_of(const std::string& label) const {
    const auto own = at("weir");
    const auto other = at(label);
    if (!own || !other || *other == 0) return std::nullopt;
    return *own / *other;
  }

  /// What `target` is about: a share, or the figure itself. Nothing when it was not measured.
  std::optional<double> reached(const Target& target) const {
    switch (target.of) {
      case Target::Of::kNothing: return at("weir");
      case Target::Of::kRaw: return share_of("raw");
      case Target::Of::kFloor: return share_of("floor");
    }
    return std::nullopt;
  }

  bool met(const Target& target, double reached_value) const {
    return measurement.better == Better::kMore ? reached_value >= target.bound : reached_value <= target.bound;
  }
};

}  // namespace weir::bench
