// What users write to name a volume, and what a store answers as names of objects. The first byte chooses.
#include <nlohmann/json.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/check.h"
#include "daemon/check/objects.h"
#include "daemon/json.h"
#include "daemon/volume/metadata_url.h"
#include "kv/postgres/postgres_url.h"

namespace {

using namespace weir;

void parse_url(std::string_view input) {
  auto url = parse_metadata_url(input);
  CHECK(url || !url.error().what.empty());
  if (!url || !url->embedded()) return;
  // The spelling that is kept reads as itself.
  auto again = parse_metadata_url(url->url);
  CHECK(again.has_value() && again->directory == url->directory);
}

void parse_object_name(std::string_view input) {
  const auto identity = parse_chunk_object_name(input);
  if (!identity) return;
  const std::string id = identity->id.hex();
  CHECK(input == "chunks/" + id.substr(0, 2) + "/" + id + "." + std::to_string(identity->generation));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::string_view input(reinterpret_cast<const char*>(data + 1), size - 1);
  switch (data[0] % 4) {
    case 0: parse_url(input); break;
    case 1: parse_object_name(input); break;
    case 2: (void)parse_json_object(input, "record"); break;
    default: (void)kv::parse_postgres_url(std::string(input)); break;
  }
  return 0;
}
