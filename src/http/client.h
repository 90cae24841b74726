#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/file_descriptor.h"
#include "base/result.h"
#include "http/address.h"
#include "http/message.h"

namespace weir::http {

/// How long somebody waits for the other side.
struct Patience {
  Clock* clock = nullptr;
  int64_t deadline_ns = 0;                // monotonic
  int64_t stall_ms = 0;                   // without a byte, after the connection stands
  std::function<bool()> keep_going = {};  // asked now and then; unset: always. No: Interrupted
};

struct Ask {
  std::string_view method;
  std::string_view target;
  std::vector<std::pair<std::string, std::string>> headers;
  std::string_view body;
};

struct Reply {
  int status = 0;
  Headers headers;
  std::string body;        // empty when it went into the caller's buffer
  bool in_buffer = false;  // a body of just its size came with status 200
};

/// One connection to an HTTP/1.1 server, for requests one after another. Replies must say how long they are.
/// Thread rule: one thread at a time.
class ClientConnection {
 public:
  /// Blocks: until connected. Unavailable: nobody there. Timeout, Interrupted.
  static Result<std::unique_ptr<ClientConnection>> open(const Address& address, const Patience& patience);

  /// Blocks. The body of a reply with status 200 goes into `buffer` if it is exactly as long; other bodies may have
  /// limits::kHttpReplyBytes. Unavailable: the other side closed, TooLarge, Invalid: not HTTP. After an error the
  /// connection is of no use.
  Result<Reply> ask(const Ask& ask, std::span<char> buffer, const Patience& patience);
  /// The last failure came before a byte of the reply: on a connection that had been idle, the server may just have
  /// closed it.
  bool nothing_came() const { return nothing_came_; }
  /// The other side will not answer another request on it.
  bool usable() const { return usable_; }

 private:
  explicit ClientConnection(FileDescriptor socket, std::string where)
      : socket_(std::move(socket)), where_(std::move(where)) {}
  Status wait_for(short events, const Patience& patience);
  Status send(std::string_view head, std::string_view body, const Patience& patience);
  /// At least one byte.
  Result<size_t> receive(std::span<char> into, const Patience& patience);
  Result<Reply> receive_head(const Patience& patience);
  Status receive_body(Reply& reply, std::span<char> buffer, const Patience& patience);

  FileDescriptor socket_;
  const std::string where_;
  std::string received_;  // behind what was used so far
  bool nothing_came_ = false;
  bool usable_ = true;
};

/// The status line and headers of a reply, without the empty line behind them. Invalid. Pure.
Result<Reply> parse_reply_head(std::string_view head);

}  // namespace weir::http
