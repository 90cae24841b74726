#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "bench/figures.h"
#include "bench/measurement.h"

namespace weir::bench {

using Places = std::vector<std::unique_ptr<Place>>;

/// Runs the measurements of a group, place after place in every round, so that what else the machine does disturbs all
/// of them alike. `report` gets each measurement's figures when it is done. Blocks: for minutes.
Status run_group(const Group& group, const Places& places, int rounds,
                 const std::function<void(const Figures&)>& report);

/// From a signal handler: run_group() ends with Interrupted after the round that is under way.
void interrupt_rounds();

}  // namespace weir::bench
