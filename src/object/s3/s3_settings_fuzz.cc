// What users, files and metadata services say: store URLs, profile files, handed-out credentials. The first byte
// chooses.
#include <cstddef>
#include <cstdint>
#include <string>

#include "base/check.h"
#include "object/s3/location.h"
#include "object/s3/metadata_services.h"
#include "object/s3/profile_files.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace weir;
  using namespace weir::object;
  if (size == 0) return 0;
  const std::string input(reinterpret_cast<const char*>(data + 1), size - 1);
  if (data[0] % 3 == 0) {
    auto location = S3Location::parse("s3://" + input);
    CHECK(location || !location.error().what.empty());
    if (location) {
      const std::string url = location->url();
      auto again = S3Location::parse(url);
      CHECK(again && again->url() == url);
    }
  } else if (data[0] % 3 == 1) {
    for (const auto& [name, section] : parse_profiles(input)) CHECK(name.size() + section.size() <= input.size());
  } else {
    auto credentials = decode_service_credentials(input);
    CHECK(credentials ? !credentials->secret_key.empty() : credentials.error().code == Code::kCorrupt);
  }
  return 0;
}
