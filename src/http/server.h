#pragma once

#include <memory>
#include <vector>

#include "base/clock.h"
#include "base/limits.h"
#include "base/result.h"
#include "http/listener.h"
#include "http/message.h"

namespace weir::http {

struct ServerOptions {
  size_t connections_max = limits::kHttpConnections;
  size_t handler_threads = limits::kHttpThreads;
  int64_t request_ms = limits::kHttpRequestMs;    // for a client to send a request that it began
  int64_t idle_ms = limits::kHttpIdleMs;          // between two requests of a connection
  int64_t response_ms = limits::kHttpResponseMs;  // for a client to take a response, and more for long ones
  uint64_t slowest_bytes_per_ms = limits::kHttpSlowestBytesPerMs;
};

/// An HTTP/1.1 server: its own few threads move bytes, a pool runs the handlers, so a handler may block and a slow
/// client costs a connection and no thread. Connections, requests, time and queues are bounded; what is beyond gets
/// 413, 503, or its connection closed. Thread-safe.
class Server {
 public:
  /// Answers from now on. The longest prefix that fits gets a request; none: 404. `clock` outlives it.
  static Result<std::unique_ptr<Server>> start(Listener listener, std::vector<Route> routes, Clock& clock,
                                               const ServerOptions& options = {});
  /// Blocks: until handlers that run have ended. Requests that wait for one are refused, connections closed.
  ~Server();

  const Address& address() const;
  size_t connections() const;

 private:
  class Impl;
  explicit Server(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace weir::http
