#include "testing/s3/route.h"

#include <algorithm>

#include "testing/s3/uri.h"

namespace weir::testing::s3 {
namespace {

/// Empty for a request of path style.
std::string bucket_of_host(const Request& request, std::string_view host_suffix) {
  std::string_view host = request.header("host").value_or("");
  host = host.substr(0, host.rfind(':'));
  if (host.size() <= host_suffix.size() + 1 || !host.ends_with(host_suffix)) return {};
  host.remove_suffix(host_suffix.size());
  return host.ends_with('.') ? std::string(host.substr(0, host.size() - 1)) : std::string();
}

bool has_parameter(const Query& query, std::string_view name) {
  return std::any_of(query.begin(), query.end(), [&](const auto& item) { return item.first == name; });
}

Operation bucket_operation(const Request& request, const Query& query) {
  if (request.method == "HEAD") return Operation::kHeadBucket;
  if (request.method == "PUT" && query.empty()) return Operation::kCreateBucket;
  if (request.method == "POST" && has_parameter(query, "delete")) return Operation::kDeleteObjects;
  if (request.method != "GET") return Operation::kUnknown;
  return has_parameter(query, "location") ? Operation::kGetBucketLocation : Operation::kListObjects;
}

Operation object_operation(const Request& request) {
  if (request.method == "GET") return Operation::kGetObject;
  if (request.method == "PUT") return Operation::kPutObject;
  if (request.method == "HEAD") return Operation::kHeadObject;
  if (request.method == "DELETE") return Operation::kDeleteObject;
  return Operation::kUnknown;
}

}  // namespace

std::string_view name_of(Operation operation) {
  switch (operation) {
    case Operation::kGetObject: return "GetObject";
    case Operation::kPutObject: return "PutObject";
    case Operation::kHeadObject: return "HeadObject";
    case Operation::kDeleteObject: return "DeleteObject";
    case Operation::kDeleteObjects: return "DeleteObjects";
    case Operation::kListObjects: return "ListObjects";
    case Operation::kHeadBucket: return "HeadBucket";
    case Operation::kGetBucketLocation: return "GetBucketLocation";
    case Operation::kCreateBucket: return "CreateBucket";
    case Operation::kUnknown: break;
  }
  return "Unknown";
}

Route route_of(const Request& request, std::string_view host_suffix) {
  Route route;
  const auto path = uri_decode(request.path, false);
  const auto query = parse_query(request.query);
  if (!path || !query) return route;
  std::string_view rest = std::string_view(*path).substr(1);
  route.bucket = bucket_of_host(request, host_suffix);
  if (route.bucket.empty()) {
    route.bucket = rest.substr(0, rest.find('/'));
    rest.remove_prefix(std::min(rest.size(), route.bucket.size() + 1));
  }
  route.key = rest;
  if (route.bucket.empty()) return route;
  route.operation = route.key.empty() ? bucket_operation(request, *query) : object_operation(request);
  return route;
}

}  // namespace weir::testing::s3
