#pragma once

#include <string>
#include <string_view>

#include "base/clock.h"
#include "testing/s3/credential_table.h"
#include "testing/s3/message.h"
#include "testing/s3/object_table.h"
#include "testing/s3/route.h"

namespace weir::testing::s3 {

/// One request with its whole body, signed by somebody who is known.
struct Call {
  const Request& request;
  const Route& route;
  const Credential& credential;
  std::string body;
  /// Listings show what was there so long ago.
  int64_t list_age_ms = 0;
};

/// What S3 answers. Checks the body against all that the request says of it: x-amz-content-sha256, Content-MD5 and
/// x-amz-checksum-sha256. `realtime_ns` is the server's time. Thread-safe; blocks nowhere.
Response perform(ObjectTable& objects, std::string_view region, int64_t realtime_ns, Call call);

}  // namespace weir::testing::s3
