#include "daemon/doctor/finding.h"

namespace weir {

std::string_view level_name(Finding::Level level) {
  switch (level) {
    case Finding::Level::kInfo: return "info";
    case Finding::Level::kOk: return "ok";
    case Finding::Level::kWarning: return "warn";
    case Finding::Level::kFailure: return "fail";
  }
  return "fail";
}

}  // namespace weir
