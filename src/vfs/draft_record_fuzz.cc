// The record that a later life of the daemon goes on from: whatever it says, it is refused, or gives a draft that can
// be read to its end.
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "base/check.h"
#include "base/log.h"
#include "testing/volume_fixture.h"
#include "vfs/core.h"
#include "vfs/draft.h"

namespace {

using namespace weir;

// Beyond it a draft is only asked for its form: there may be terabytes of holes.
constexpr uint64_t kReadBytesMax = 64 << 20;

class Recovery {
 public:
  Recovery() : memory_(take(SharedMemory::create({.requests = 1, .handles = 64, .contents = 4}))) {}

  void run(const std::string& record) {
    (void)vfs::Draft::head_of_record(record);
    cache::Recovered recovered;
    recovered.staging = take(volume_.cache().new_staging());
    recovered.record = record;
    auto base = vfs::Version::of_bytes(volume_.fs().core().sources(), "base", ChunkId());
    auto draft = vfs::Draft::recovered({volume_.cache(), *memory_, InodeId{2}}, recovered, std::move(base));
    if (draft) look_at(**draft);
  }

 private:
  template <class T>
  static T take(Result<T> result) {
    CHECK(result.has_value());
    return std::move(*result);
  }

  static void look_at(vfs::Draft& draft) {
    CHECK(draft.size() <= limits::kFileBytes);
    (void)draft.allocated_bytes();
    (void)draft.seek(0, true);
    CHECK(!draft.encode_record(InodeId{2}).empty());
    if (draft.size() > kReadBytesMax) return;
    std::string buffer(1000, '\0');
    for (uint64_t offset = 0; offset < draft.size(); offset += limits::kChunkBytes) {
      const std::span<char> part(buffer.data(), std::min<uint64_t>(buffer.size(), draft.size() - offset));
      if (!draft.needed_to_read(offset, part.size(), {})) (void)draft.read(offset, part, {});
    }
  }

  weir::testing::TestVolume volume_;
  std::unique_ptr<SharedMemory> memory_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static Recovery* const recovery = [] {
    log::set_level(log::Level::kError);
    return new Recovery();
  }();
  recovery->run(std::string(reinterpret_cast<const char*>(data), size));
  return 0;
}
