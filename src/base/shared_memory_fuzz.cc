// A successor attaches to whatever file it was given: it refuses it, or every part of it can be touched.
#include "base/shared_memory.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <utility>

#include "base/check.h"

namespace {

constexpr weir::SharedMemoryOptions kSmall{.requests = 2, .handles = 64, .contents = 2};

// A file of the right size, whose header and first records the input overwrites.
weir::FileDescriptor make_file(const uint8_t* data, size_t size) {
  auto memory = weir::SharedMemory::create(kSmall);
  CHECK(memory.has_value());
  weir::FileDescriptor fd(fcntl((*memory)->fd(), F_DUPFD_CLOEXEC, 0));
  CHECK(fd.valid());
  // The first two bytes say where; so a header that is right can be followed by records that are not.
  const size_t offset = size < 2 ? 0 : (data[0] | data[1] << 8) % 16384;
  if (size > 2) CHECK(pwrite(fd.get(), data + 2, size - 2, static_cast<off_t>(offset)) >= 0);
  return fd;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  auto attached = weir::SharedMemory::attach(make_file(data, size));
  if (!attached) return 0;
  weir::SharedMemory& memory = **attached;
  for (uint32_t index = 0; index < memory.request_count(); ++index) {
    (void)memory.request_state(index).device.load();
    memory.request_buffer(index).back() = 1;
  }
  for (uint32_t index = 0; index < memory.header().contents.count; ++index) memory.content(index).back() = 1;
  for (weir::SlotTable* table : {&memory.handles(), &memory.contents()}) {
    while (auto slot = table->allocate()) {
      CHECK(table->find(*slot) != nullptr);
      CHECK(weir::SlotId::from_number(slot->number()).number() == slot->number());
    }
  }
  return 0;
}
