#pragma once

#include <string>
#include <vector>

#include "bench/figures.h"

namespace weir::bench {

/// Bars of each measurement's speed beside the raw disk's (full length), with a mark where its target is.
std::string svg_of(const std::vector<Figures>& all);

}  // namespace weir::bench
