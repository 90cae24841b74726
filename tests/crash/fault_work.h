#pragma once

#include <functional>
#include <string>
#include <vector>

#include "power_ledger.h"

namespace weir::testing {

class TestVolume;

/// One step of a fixed piece of work that passes every fault point. `volume` null: only the ledger moves, so that a
/// test knows what another process did.
using FaultStep = std::function<void(TestVolume* volume, PowerLedger& ledger)>;
std::vector<FaultStep> fault_steps();

/// Does the work on the volume in `directory`, and dies when it passes fault point `point` for the `pass`th time. Says
/// in the file `directory`.done which steps are done. 0: it passed the point less often.
int work_until_fault(const std::string& directory, const std::string& point, size_t pass);

}  // namespace weir::testing
