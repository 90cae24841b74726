#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace weir::testing::s3 {

/// In the order in which they came, names as they were sent.
using Headers = std::vector<std::pair<std::string, std::string>>;

/// The head of an HTTP request as it came: nothing is decoded, since signatures are checked against it.
struct Request {
  std::string method;
  std::string path;   // percent-encoded, starts with '/'
  std::string query;  // what follows the '?', percent-encoded
  Headers headers;
  bool proxied = false;  // the target was a whole URL, as clients send to a proxy

  /// The value of the first such header, in any case of letters; nothing when there is none.
  std::optional<std::string_view> header(std::string_view name) const;
  /// All values of it, joined by commas.
  std::optional<std::string> joined_header(std::string_view name) const;
  /// Nothing when there is none or it is no number.
  std::optional<uint64_t> content_length() const;
};

/// `head` ends with the empty line. Nothing when it is no HTTP/1.1 request.
std::optional<Request> parse_request(std::string_view head);

bool same_header_name(std::string_view left, std::string_view right);

/// Bytes that somebody owns.
struct Body {
  std::shared_ptr<const std::string> owner;
  std::string_view bytes;
};
Body body_of(std::string text);

struct Response {
  int status = 200;
  Headers headers;
  Body body;
  /// What Content-Length says when that is not the body's length, as for HEAD.
  std::optional<uint64_t> declared_length;
  bool close = false;  // the connection ends after it
};

/// Status line and headers with Content-Length, up to and including the empty line.
std::string head_of(const Response& response);

}  // namespace weir::testing::s3
