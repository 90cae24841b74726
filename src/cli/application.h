#pragma once

#include <iosfwd>
#include <span>
#include <string>

namespace weir::cli {

/// Runs the program with these arguments (without the program's own name) and returns its exit code: 0 done, 1 failed,
/// 2 wrong usage.
int run(std::span<const std::string> arguments, std::ostream& out, std::ostream& errors);

}  // namespace weir::cli
