#pragma once

namespace weir {

/// Of this program; the project's version in CMakeLists.txt.
extern const char* const kWeirVersion;

}  // namespace weir
