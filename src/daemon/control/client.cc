#include "daemon/control/client.h"

#include <nlohmann/json.hpp>

#include "base/limits.h"
#include "daemon/control/line_socket.h"

namespace weir {

Result<Json> ask_daemon(const std::string& socket_path, const Json& request, const ReportProgress& progress) {
  ASSIGN_OR_RETURN(LineSocket socket,
                   LineSocket::connect(socket_path, limits::kControlReplyBytes, limits::kControlSendMs));
  // A daemon that is full or ending answers before it reads; that answer matters more than the failed write.
  Status sent = socket.write_line(json_line(request), limits::kControlSendMs);
  for (;;) {
    ASSIGN_OR_RETURN(std::optional<std::string> line, socket.read_line(-1));
    if (!line) {
      TRY(sent);
      return error(Code::kUnavailable, "the daemon ended before it answered");
    }
    ASSIGN_OR_RETURN(Reply reply, parse_reply(*line));
    if (reply.kind == Reply::Kind::kError) return error(reply.error.code, "{}", reply.error.what);
    Json body = Json::parse(reply.body, nullptr, false);
    if (reply.kind == Reply::Kind::kResult) return body;
    if (progress && !progress(body)) return error(Code::kInterrupted, "interrupted");
  }
}

}  // namespace weir
