#include "testing/s3/message.h"

#include <fmt/format.h>
#include <strings.h>

#include <charconv>

namespace weir::testing::s3 {
namespace {

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

/// Takes a line off `rest`, without its end.
std::optional<std::string_view> take_line(std::string_view& rest) {
  const size_t end = rest.find("\r\n");
  if (end == std::string_view::npos) return std::nullopt;
  const std::string_view line = rest.substr(0, end);
  rest.remove_prefix(end + 2);
  return line;
}

void set_target(Request& request, std::string_view target) {
  if (target.starts_with("http://")) {
    request.proxied = true;
    const size_t slash = target.find('/', 7);
    target = slash == std::string_view::npos ? "/" : target.substr(slash);
  }
  const size_t question = target.find('?');
  request.path = target.substr(0, question);
  if (question != std::string_view::npos) request.query = target.substr(question + 1);
}

bool parse_request_line(Request& request, std::string_view line) {
  const size_t first = line.find(' ');
  const size_t last = line.rfind(' ');
  if (first == std::string_view::npos || last == first || line.substr(last + 1) != "HTTP/1.1") return false;
  request.method = line.substr(0, first);
  set_target(request, line.substr(first + 1, last - first - 1));
  return request.path.starts_with('/');
}

std::string_view reason_of(int status) {
  switch (status) {
    case 200: return "OK";
    case 204: return "No Content";
    case 206: return "Partial Content";
    case 400: return "Bad Request";
    case 401: return "Unauthorized";
    case 403: return "Forbidden";
    case 404: return "Not Found";
    case 409: return "Conflict";
    case 411: return "Length Required";
    case 412: return "Precondition Failed";
    case 416: return "Requested Range Not Satisfiable";
    case 429: return "Too Many Requests";
    case 500: return "Internal Server Error";
    case 501: return "Unsupported";
    case 502: return "Bad Gateway";
    case 503: return "Service Unavailable";
    default: return "Status";
  }
}

}  // namespace

bool same_header_name(std::string_view left, std::string_view right) {
  return left.size() == right.size() && strncasecmp(left.data(), right.data(), left.size()) == 0;
}

std::optional<std::string_view> Request::header(std::string_view name) const {
  for (const auto& [other, value] : headers) {
    if (same_header_name(other, name)) return value;
  }
  return std::nullopt;
}

std::optional<std::string> Request::joined_header(std::string_view name) const {
  std::optional<std::string> joined;
  for (const auto& [other, value] : headers) {
    if (same_header_name(other, name)) joined = joined ? *joined + "," + value : value;
  }
  return joined;
}

std::optional<uint64_t> Request::content_length() const {
  const auto text = header("content-length");
  uint64_t length = 0;
  if (!text) return std::nullopt;
  const auto [end, failure] = std::from_chars(text->data(), text->data() + text->size(), length);
  if (failure != std::errc() || end != text->data() + text->size()) return std::nullopt;
  return length;
}

std::optional<Request> parse_request(std::string_view head) {
  Request request;
  const auto first = take_line(head);
  if (!first || !parse_request_line(request, *first)) return std::nullopt;
  while (true) {
    const auto line = take_line(head);
    if (!line) return std::nullopt;
    if (line->empty()) return request;
    const size_t colon = line->find(':');
    if (colon == std::string_view::npos || colon == 0) return std::nullopt;
    request.headers.emplace_back(line->substr(0, colon), trimmed(line->substr(colon + 1)));
  }
}

Body body_of(std::string text) {
  auto owner = std::make_shared<const std::string>(std::move(text));
  return {owner, *owner};
}

std::string head_of(const Response& response) {
  std::string head = fmt::format("HTTP/1.1 {} {}\r\n", response.status, reason_of(response.status));
  for (const auto& [name, value] : response.headers) head += fmt::format("{}: {}\r\n", name, value);
  if (response.status != 204) {
    head += fmt::format("Content-Length: {}\r\n", response.declared_length.value_or(response.body.bytes.size()));
  }
  head += response.close ? "Connection: close\r\n\r\n" : "\r\n";
  return head;
}

}  // namespace weir::testing::s3
