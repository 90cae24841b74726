#pragma once

#include <functional>
#include <string>
#include <vector>

#include "bench/place/place.h"

namespace weir::bench {

enum class Better { kMore, kLess };

/// What a figure shall reach: a share of another place's figure, or, with Of::kNothing, a number by itself.
struct Target {
  enum class Of { kNothing, kRaw, kFloor };
  Of of = Of::kRaw;
  double bound = 0;  // at least this, or with Better::kLess at most
};

/// One thing to measure.
struct Measurement {
  std::string name;
  std::string unit;
  Better better = Better::kMore;
  std::vector<Target> targets;
  std::vector<PlaceKind> places;
  /// One round: prepares, times only what the name says, cleans up, and returns the figure in `unit`. Blocks.
  std::function<Result<double>(Place&)> run;
  /// Of measurements that take long, such as building a big tree. 0: as the user asked.
  int rounds_max = 0;

  bool is_for(PlaceKind kind) const {
    for (PlaceKind place : places)
      if (place == kind) return true;
    return false;
  }
};

/// Measurements that share what is prepared once.
struct Group {
  std::string name;
  std::string summary;
  /// Only run when it is named, because it takes long.
  bool on_request = false;
  /// Before the first and after the last measurement, once for each place that one of them is for.
  std::function<Status(Place&)> prepare;
  std::function<Status(Place&)> clean;
  std::vector<Measurement> measurements;
};

}  // namespace weir::bench
