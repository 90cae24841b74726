#include <nlohmann/json.hpp>

#include <cstddef>
#include <cstdint>

#include "base/check.h"
#include "daemon/control/message.h"
#include "daemon/json.h"

/// Whatever a client or daemon sends is parsed or refused, and an error survives the way there and back.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string_view input(reinterpret_cast<const char*>(data), size);
  (void)weir::parse_request(input);
  auto reply = weir::parse_reply(input);
  if (reply && reply->kind == weir::Reply::Kind::kError) {
    auto again = weir::parse_reply(weir::error_line(reply->error));
    CHECK(again.has_value());
    CHECK(again->error.code == reply->error.code);
  }
  return 0;
}
