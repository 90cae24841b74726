#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace weir::object {

struct HttpHeader {
  std::string name;
  std::string value;
};

/// One request. What is borrowed stays the caller's until send() returns.
struct HttpRequest {
  enum class Method { kGet, kHead, kPut, kPost, kDelete };

  Method method = Method::kGet;
  std::string url;
  std::vector<HttpHeader> headers;
  std::string_view body;           // of PUT and POST
  std::span<char> into;            // where the body of a GET goes that was answered with 200 or 206
  bool proxied = true;             // through the proxy that the environment names, if it names one
  int64_t timeout_ms = 0;          // for all of it
  int64_t connect_timeout_ms = 0;  // 0: limits::kStoreConnectMs
};

struct HttpReply {
  int status = 0;
  std::vector<HttpHeader> headers;
  size_t into_bytes = 0;  // how much of HttpRequest::into was filled
  std::string body;       // every other body, of limits::kStoreReplyBytes at most

  /// The first header of this name, whatever its case; valid as long as the reply.
  std::optional<std::string_view> header(std::string_view name) const;
};

/// Sends requests over HTTP. Follows no redirection and judges no status: that is the caller's part.
/// Implementation: CurlHttp (curl_http.h); tests script one.
class Http {
 public:
  virtual ~Http() = default;

  /// Blocks: until the answer is there whole, for `timeout_ms` at most. Thread-safe. Unavailable: no connection, one
  /// that broke, or a body that was shorter than announced or longer than there is room for; a request with a body may
  /// have been done. Timeout: out of time, or stalled. Invalid: TLS does not trust the server, or the URL makes no
  /// sense. After an error `into` may hold anything.
  virtual Result<HttpReply> send(const HttpRequest& request) = 0;
};

std::string_view method_name(HttpRequest::Method method);

}  // namespace weir::object
