#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace weir::kv {

/// Our code for the SQLSTATE of an error that ended a statement. Conflict: another transaction won.
Code code_of_sqlstate(std::string_view sqlstate);

/// Our code for libpq's reason not to connect, which comes as text only.
Code code_of_connect_failure(std::string_view message);

/// libpq's message as the end of a sentence: one line, no final full stop.
std::string one_line(std::string_view message);

}  // namespace weir::kv
