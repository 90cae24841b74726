#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace weir::testing::s3 {

/// Seconds since 1970 of "20130524T000000Z"; nothing for any other form.
std::optional<int64_t> parse_compact_time(std::string_view text);
/// "20130524T000000Z".
std::string compact_time(int64_t seconds);
/// "2013-05-24T00:00:00.000Z", as in listings.
std::string iso_time(int64_t realtime_ns);
/// "Fri, 24 May 2013 00:00:00 GMT", as in Last-Modified.
std::string http_time(int64_t seconds);

}  // namespace weir::testing::s3
