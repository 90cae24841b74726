// What a damaged or hostile disk may say: decoding never crashes, and what it accepts encodes to the same bytes.
#include "cache/records.h"

#include "base/check.h"
#include "cache/layout.h"

namespace {

template <class Record>
void decode(std::string_view input) {
  auto record = Record::decode(input);
  if (record) CHECK(Record::decode(record->encode()).value() == *record);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace weir::cache;
  std::string_view input(reinterpret_cast<const char*>(data), size);
  decode<ImageRow>(input);
  decode<UnstoredImage>(input);
  decode<UnstoredSmall>(input);
  decode<StagingRow>(input);
  decode<Identity>(input);
  (void)unstored_kind(input);
  (void)parse_image_name(input);
  (void)parse_number(input);
  return 0;
}
