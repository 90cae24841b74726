#pragma once

#include <string_view>

namespace weir {

/// Writes the broken invariant to stderr and aborts. Never returns.
[[noreturn]] void check_failed(const char* file, int line, const char* expression, std::string_view detail = {});

}  // namespace weir

/// A broken invariant is a bug: abort, in release builds too, before it can harm a user's bytes.
#define CHECK(expression)                                                     \
  do {                                                                        \
    if (!(expression)) ::weir::check_failed(__FILE__, __LINE__, #expression); \
  } while (false)
