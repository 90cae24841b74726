// What an S3 server answers: decoded or refused, within bounds. The first byte chooses.
#include <cstddef>
#include <cstdint>
#include <string>

#include "base/check.h"
#include "object/s3/replies.h"
#include "object/s3/xml.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace weir;
  using namespace weir::object;
  if (size == 0) return 0;
  const std::string input(reinterpret_cast<const char*>(data + 1), size - 1);
  if (data[0] % 4 == 0) {
    auto list = decode_list(input);
    CHECK(list || list.error().code == Code::kCorrupt);
    if (list)
      for (size_t i = 1; i < list->objects.size(); ++i) CHECK(list->objects[i - 1].name < list->objects[i].name);
  } else if (data[0] % 4 == 1) {
    HttpReply reply;
    reply.body = input;
    CHECK(decode_error(reply).message.find('\n') == std::string::npos);
    auto failures = decode_delete_failures(input);
    CHECK(failures || failures.error().code == Code::kCorrupt);
  } else if (data[0] % 4 == 2) {
    if (auto range = decode_content_range(input)) CHECK(range->first <= range->last && range->last < range->size);
  } else {
    (void)decode_iso_time_ns(input);
    (void)decode_http_time_ns(input);
  }
  return 0;
}
