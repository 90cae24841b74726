// Reads hostile input through Decoder by a program that the input itself gives, and holds Decoder to its contract.
#include <cstddef>
#include <cstdint>

#include "base/bytes.h"
#include "base/check.h"

namespace {

/// One read, chosen by `choice`, and the bytes that an Encoder makes of its result.
weir::Bytes read_one(weir::Decoder& decoder, uint8_t choice) {
  weir::Encoder again;
  switch (choice % 7) {
    case 0: again.u8(decoder.u8()); break;
    case 1: again.u16(decoder.u16()); break;
    case 2: again.u32(decoder.u32()); break;
    case 3: again.u64(decoder.u64()); break;
    case 4: again.i64(decoder.i64()); break;
    case 5: again.sized(decoder.sized()); break;
    case 6: again.raw(decoder.raw(choice)); break;
  }
  return std::move(again).take();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string_view input(reinterpret_cast<const char*>(data), size);
  size_t half = size / 2;
  std::string_view choices = input.substr(0, half);
  std::string_view message = input.substr(half);
  weir::Decoder decoder(message);
  for (char choice : choices) {
    size_t before = decoder.remaining();
    weir::Bytes again = read_one(decoder, static_cast<uint8_t>(choice));
    if (decoder.failed()) {
      CHECK(decoder.remaining() <= before);
      CHECK(!decoder.finish("message"));
      return 0;
    }
    CHECK(again == message.substr(message.size() - before, before - decoder.remaining()));
  }
  CHECK(decoder.finish("message").has_value() == (decoder.remaining() == 0));
  return 0;
}
