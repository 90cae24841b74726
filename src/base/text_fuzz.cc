// Sizes, durations and hexadecimal text that users type: parsed or refused with a sentence. The first byte chooses.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/check.h"
#include "base/hex.h"
#include "base/size_text.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace weir;
  if (size == 0) return 0;
  const std::string_view input(reinterpret_cast<const char*>(data + 1), size - 1);
  if (data[0] % 3 == 0) {
    auto bytes = parse_bytes(input);
    CHECK(bytes || !bytes.error().what.empty());
    if (bytes) CHECK(!format_bytes(*bytes).empty());
  } else if (data[0] % 3 == 1) {
    auto duration = parse_duration_ms(input);
    CHECK(duration ? *duration >= 0 : !duration.error().what.empty());
  } else if (auto bytes = from_hex(input)) {
    CHECK(bytes->size() * 2 == input.size());
  }
  return 0;
}
