#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "fuse/wire.h"

// The first byte chooses how the rest is read; a view that leaves the input is a bug.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::string_view input(reinterpret_cast<const char*>(data + 1), size - 1);
  weir::fuse::BodyReader reader(input);
  std::string_view view;
  switch (data[0] % 4) {
    case 0:
      reader.take<fuse_rename2_in>();
      reader.name();
      view = reader.name();
      break;
    case 1: view = reader.bytes(reader.take<fuse_write_in>().size); break;
    case 2:
      reader.name();
      view = reader.text();
      break;
    default: {
      fuse_in_header header{};
      header.total_extlen = data[0];
      view = weir::fuse::without_extensions(header, input);
      break;
    }
  }
  if (!view.empty() && (view.data() < input.data() || view.data() + view.size() > input.data() + input.size())) {
    std::abort();
  }
  return 0;
}
