#include "daemon/version.h"

namespace weir {

const char* const kWeirVersion = WEIR_VERSION;

}  // namespace weir
