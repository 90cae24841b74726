#include "object/object_name.h"

#include <algorithm>

#include "base/limits.h"

namespace weir::object {

namespace {

bool allowed(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-';
}

bool valid_part(std::string_view part) {
  return !part.empty() && part.size() <= limits::kObjectNamePartBytes && part[0] != '.' &&
         std::all_of(part.begin(), part.end(), allowed);
}

}  // namespace

Status check_object_name(std::string_view name) {
  bool valid = name.size() <= limits::kObjectNameBytes;
  for (std::string_view rest = name; valid;) {
    size_t slash = rest.find('/');
    valid = valid_part(rest.substr(0, slash));
    if (slash == std::string_view::npos) break;
    rest.remove_prefix(slash + 1);
  }
  if (!valid) return error(Code::kInvalid, "'{}' cannot be the name of an object", name);
  return {};
}

}  // namespace weir::object
