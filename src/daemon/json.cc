#include "daemon/json.h"

#include <nlohmann/json.hpp>

namespace weir {

namespace {

std::string dump(const Json& value, int indent) {
  return value.dump(indent, ' ', false, Json::error_handler_t::replace);
}

const Json* field(const Json& object, const char* key) {
  if (!object.is_object()) return nullptr;
  auto found = object.find(key);
  return found == object.end() ? nullptr : &*found;
}

}  // namespace

Result<Json> parse_json_object(std::string_view text, std::string_view what) {
  Json value = Json::parse(text, nullptr, false);
  if (value.is_discarded()) return error(Code::kInvalid, "{} is not JSON", what);
  if (!value.is_object()) return error(Code::kInvalid, "{} is not a JSON object", what);
  return value;
}

std::string json_line(const Json& value) { return dump(value, -1); }

std::string json_document(const Json& value) { return dump(value, 2) + "\n"; }

std::optional<std::string> json_text(const Json& object, const char* key) {
  const Json* value = field(object, key);
  if (value == nullptr || !value->is_string()) return std::nullopt;
  return value->get<std::string>();
}

std::optional<uint64_t> json_number(const Json& object, const char* key) {
  const Json* value = field(object, key);
  if (value == nullptr || !value->is_number_unsigned()) return std::nullopt;
  return value->get<uint64_t>();
}

bool json_flag(const Json& object, const char* key) {
  const Json* value = field(object, key);
  return value != nullptr && value->is_boolean() && value->get<bool>();
}

}  // namespace weir
