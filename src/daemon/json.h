#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace weir {

/// Keys keep the order in which they were set, so that people find what matters on top.
using Json = nlohmann::ordered_json;

/// Invalid, with `what` in the sentence, unless `text` is one JSON object.
Result<Json> parse_json_object(std::string_view text, std::string_view what);

/// One line, or several with indentation. Bytes that are not UTF-8 (file names may have them) become U+FFFD.
std::string json_line(const Json& value);
std::string json_document(const Json& value);

/// Fields of an object that came from outside: nothing when absent, of another type, or out of range.
std::optional<std::string> json_text(const Json& object, const char* key);
std::optional<uint64_t> json_number(const Json& object, const char* key);
/// False when absent or not a boolean.
bool json_flag(const Json& object, const char* key);

}  // namespace weir
