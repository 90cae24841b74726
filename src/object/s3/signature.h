#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "object/s3/credentials.h"
#include "object/s3/http.h"

/// AWS Signature Version 4, in the header "Authorization".
namespace weir::object {

using Query = std::vector<std::pair<std::string, std::string>>;

struct ToSign {
  std::string_view method;
  std::string_view path;                   // percent-encoded, as it goes over the wire
  const Query& query;                      // not encoded yet
  const std::vector<HttpHeader>& headers;  // all are signed; "host" and "x-amz-date" must be among them
  std::string_view body_sha256;            // 64 hexadecimal digits
};

struct SigningScope {
  std::string_view time;  // as in x-amz-date: 20130524T000000Z
  std::string_view region;
  std::string_view service;  // "s3"
};

/// The value of the header. The session token, if there is one, is a header of its own that belongs to `request`.
std::string authorization(const ToSign& request, const SigningScope& scope, const Credentials& credentials);

/// "a=1&b=2", encoded and in the order in which it is signed: the one form in which it is sent, too.
std::string encoded_query(const Query& query);

/// A time as signatures want it: 20130524T000000Z.
std::string signing_time(int64_t realtime_ns);

}  // namespace weir::object
