#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "daemon/json.h"

/// What goes over the control socket (docs/commands.md, "Control socket"): the client sends one line
///   {"command": "stat", …arguments}
/// and gets lines {"progress": {…}}, as many as the command likes, then one line {"result": {…}} or
/// {"error": {"code": "not_found", "what": "…"}}.
namespace weir {

/// Called with a progress object; false tells the command to stop early, because nobody wants the result any more.
using ReportProgress = std::function<bool(const Json& progress)>;

std::string progress_line(const Json& progress);
std::string result_line(const Json& result);
std::string error_line(const Error& error);

/// Invalid for what is no request; the result has a text field "command".
Result<Json> parse_request(std::string_view line);

struct Reply {
  enum class Kind { kProgress, kResult, kError };
  Kind kind;
  std::string body;  // JSON of the progress or the result
  Error error;
};
/// Invalid for what is no reply.
Result<Reply> parse_reply(std::string_view line);

}  // namespace weir
