#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "bench/plain/plain_client.h"

namespace weir::bench {

/// The headers that sign a request without a query (AWS signature version 4). libcurl's own signatures count headers
/// that it was told not to send. `host` is what the Host header says, `path` needs no encoding.
std::vector<std::string> signed_headers(const PlainTarget& target, std::string_view method, std::string_view host,
                                        std::string_view path, std::string_view content_sha256);

}  // namespace weir::bench
