#include "object/s3/http.h"

#include <strings.h>

#include <algorithm>

namespace weir::object {

std::optional<std::string_view> HttpReply::header(std::string_view name) const {
  auto found = std::find_if(headers.begin(), headers.end(), [&](const HttpHeader& header) {
    return header.name.size() == name.size() && ::strncasecmp(header.name.data(), name.data(), name.size()) == 0;
  });
  if (found == headers.end()) return std::nullopt;
  return found->value;
}

std::string_view method_name(HttpRequest::Method method) {
  switch (method) {
    case HttpRequest::Method::kGet: return "GET";
    case HttpRequest::Method::kHead: return "HEAD";
    case HttpRequest::Method::kPut: return "PUT";
    case HttpRequest::Method::kPost: return "POST";
    case HttpRequest::Method::kDelete: return "DELETE";
  }
  return "GET";
}

}  // namespace weir::object
