#pragma once

#include <string>
#include <vector>

#include "bench/figures.h"

namespace weir::bench {

/// One document with every sample of every measurement.
std::string json_of(const std::vector<Figures>& all, bool passthrough);

}  // namespace weir::bench
