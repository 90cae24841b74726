#include "daemon/control/message.h"

#include <nlohmann/json.hpp>

namespace weir {

namespace {

Code code_of_name(std::string_view name) {
  for (int value = 0; value <= static_cast<int>(Code::kInternal); ++value)
    if (code_name(static_cast<Code>(value)) == name) return static_cast<Code>(value);
  return Code::kInternal;
}

}  // namespace

std::string progress_line(const Json& progress) { return json_line(Json{{"progress", progress}}); }

std::string result_line(const Json& result) { return json_line(Json{{"result", result}}); }

std::string error_line(const Error& error) {
  Json body;
  body["code"] = code_name(error.code);
  body["what"] = error.what;
  return json_line(Json{{"error", body}});
}

Result<Json> parse_request(std::string_view line) {
  ASSIGN_OR_RETURN(Json request, parse_json_object(line, "the request"));
  if (!json_text(request, "command")) return error(Code::kInvalid, "the request has no text field 'command'");
  return request;
}

Result<Reply> parse_reply(std::string_view line) {
  ASSIGN_OR_RETURN(Json reply, parse_json_object(line, "the daemon's answer"));
  if (auto progress = reply.find("progress"); progress != reply.end())
    return Reply{Reply::Kind::kProgress, json_line(*progress), {}};
  if (auto result = reply.find("result"); result != reply.end())
    return Reply{Reply::Kind::kResult, json_line(*result), {}};
  auto failure = reply.find("error");
  auto what = failure == reply.end() ? std::nullopt : json_text(*failure, "what");
  if (!what) return error(Code::kInvalid, "the daemon's answer has neither progress nor result nor error");
  return Reply{Reply::Kind::kError, {}, Error{code_of_name(json_text(*failure, "code").value_or("")), *what}};
}

}  // namespace weir
