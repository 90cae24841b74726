// What a server that may be anything answers, and addresses that people and other nodes write.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/check.h"
#include "base/limits.h"
#include "http/address.h"
#include "http/client.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const auto reply = weir::http::parse_reply_head(input);
  if (reply) CHECK(reply->status >= 100 && reply->status <= 999);
  if (reply) CHECK(reply->headers.size() <= weir::limits::kHttpReplyHeaders);
  const auto address = weir::http::Address::parse(input);
  if (address) CHECK(weir::http::Address::parse(address->text()).value() == *address);
  return 0;
}
