#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/file_descriptor.h"

namespace weir::http {

/// By name in small letters. Of several with one name, the last.
using Headers = std::map<std::string, std::string, std::less<>>;

/// What a handler keeps with a connection, from one request to the next.
class ConnectionState {
 public:
  virtual ~ConnectionState() = default;
};

struct Request {
  std::string method;
  std::string target;  // as it was sent: path and query
  std::string path;    // decoded
  Headers headers;
  std::string body;
  bool from_this_machine = false;
  /// Of the connection, whose requests come one after another; empty at first. Ends with the connection.
  std::unique_ptr<ConnectionState>* state = nullptr;

  /// Nothing if it is not there. Requires: `name` in small letters.
  std::optional<std::string_view> header(std::string_view name) const {
    auto place = headers.find(name);
    if (place == headers.end()) return std::nullopt;
    return place->second;
  }
};

/// A part of a file, sent without being copied through this process.
struct FilePart {
  FileDescriptor file;
  uint64_t offset = 0;
  uint64_t length = 0;
};

struct Response {
  int status = 200;
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;
  std::optional<FilePart> part;                    // instead of `body`
  std::shared_ptr<const std::string> shared = {};  // instead of either: let go of when it is sent, or cannot be

  /// A sentence for whoever reads it, as text.
  static Response text(int status, std::string sentence) {
    return {status, {{"Content-Type", "text/plain; charset=utf-8"}}, std::move(sentence) + "\n", std::nullopt};
  }
};

/// May block. Called by threads of the server, several at once.
using Handler = std::function<Response(Request&)>;

struct Route {
  std::string prefix;  // of paths
  size_t body_bytes_max = 0;
  Handler handler;
};

}  // namespace weir::http
