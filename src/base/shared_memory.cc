#include "base/shared_memory.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstring>

#include "base/check.h"

namespace weir {

namespace {

constexpr uint64_t round_up(uint64_t value) {
  return (value + kSharedPageBytes - 1) / kSharedPageBytes * kSharedPageBytes;
}

constexpr int kPopulateWrite = 23;  // MADV_POPULATE_WRITE, which Debian 12's headers may lack
constexpr uint64_t kRequestStride = round_up(limits::kFuseRequestBytes);

/// The whole layout follows from three counts; attach() compares what it finds with this.
SharedHeader layout(const SharedMemoryOptions& options) {
  SharedHeader header{};
  header.magic = kSharedMagic;
  header.layout_version = kSharedLayoutVersion;
  header.header_bytes = sizeof(SharedHeader);
  uint64_t offset = kSharedPageBytes;
  auto place = [&offset](uint64_t stride, uint64_t count) {
    const SharedRegion region{offset, stride, count};
    offset = round_up(offset + stride * count);
    return region;
  };
  header.request_states = place(sizeof(RequestState), options.requests);
  header.handles = place(sizeof(SharedSlot), options.handles);
  header.content_states = place(sizeof(SharedSlot), options.contents);
  header.contents = place(limits::kSmallContentBytes, options.contents);
  header.session = place(sizeof(SharedSession), 1);
  header.drafts = place(sizeof(SharedSlot), options.drafts);
  header.locks = place(sizeof(SharedSlot), options.locks);
  header.request_buffers = place(kRequestStride, options.requests);
  header.total_bytes = offset;
  return header;
}

}  // namespace

SharedMemory::SharedMemory(FileDescriptor fd, char* base, size_t size) : fd_(std::move(fd)), base_(base), size_(size) {}

SharedMemory::~SharedMemory() { ::munmap(base_, size_); }

Result<std::unique_ptr<SharedMemory>> SharedMemory::map(FileDescriptor fd, size_t size) {
  void* base = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd.get(), 0);
  if (base == MAP_FAILED) return errno_error(errno, "map the shared memory file");
  // Users' bytes have no business in a core dump.
  ::madvise(base, size, MADV_DONTDUMP);
  return std::unique_ptr<SharedMemory>(new SharedMemory(std::move(fd), static_cast<char*>(base), size));
}

Result<std::unique_ptr<SharedMemory>> SharedMemory::create(const SharedMemoryOptions& options) {
  CHECK(options.requests > 0 && options.handles > 0 && options.contents > 0 && options.drafts > 0 && options.locks > 0);
  FileDescriptor fd(::memfd_create("weir", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!fd.valid()) return errno_error(errno, "create the shared memory file");
  const SharedHeader header = layout(options);
  if (::ftruncate(fd.get(), static_cast<off_t>(header.total_bytes)) != 0) {
    return errno_error(errno, "size the shared memory file");
  }
  // Nobody may cut the file under a process that has it mapped.
  if (::fcntl(fd.get(), F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0) {
    return errno_error(errno, "seal the shared memory file");
  }
  ASSIGN_OR_RETURN(std::unique_ptr<SharedMemory> memory, map(std::move(fd), header.total_bytes));
  std::memcpy(memory->base_, &header, sizeof(header));
  memory->open_tables();
  return memory;
}

Result<std::unique_ptr<SharedMemory>> SharedMemory::attach(FileDescriptor fd) {
  struct stat status {};
  if (::fstat(fd.get(), &status) != 0) return errno_error(errno, "look at the shared memory file");
  const auto size = static_cast<uint64_t>(status.st_size);
  if (size < kSharedPageBytes) return error(Code::kCorrupt, "the shared memory file is too short");
  ASSIGN_OR_RETURN(std::unique_ptr<SharedMemory> memory, map(std::move(fd), size));
  const SharedHeader& found = memory->header();
  if (found.magic != kSharedMagic) return error(Code::kCorrupt, "the shared memory file is not of Weir");
  if (found.layout_version != kSharedLayoutVersion) {
    return error(Code::kCorrupt, "the shared memory file has layout {}, this daemon reads layout {}",
                 found.layout_version, kSharedLayoutVersion);
  }
  const uint64_t most = UINT32_MAX;
  if (found.request_states.count > most || found.handles.count > most || found.contents.count > most ||
      found.drafts.count > most || found.locks.count > most) {
    return error(Code::kCorrupt, "the shared memory file has impossible counts");
  }
  SharedMemoryOptions options;
  options.requests = static_cast<uint32_t>(found.request_states.count);
  options.handles = static_cast<uint32_t>(found.handles.count);
  options.contents = static_cast<uint32_t>(found.contents.count);
  options.drafts = static_cast<uint32_t>(found.drafts.count);
  options.locks = static_cast<uint32_t>(found.locks.count);
  const SharedHeader expected = layout(options);
  if (std::memcmp(&found, &expected, sizeof(expected)) != 0 || expected.total_bytes != size) {
    return error(Code::kCorrupt, "the regions of the shared memory file do not fit its size");
  }
  memory->open_tables();
  return memory;
}

void SharedMemory::open_tables() {
  handles_ = std::make_unique<SlotTable>(slots(header().handles));
  contents_ = std::make_unique<SlotTable>(slots(header().content_states));
  drafts_ = std::make_unique<SlotTable>(slots(header().drafts));
  locks_ = std::make_unique<SlotTable>(slots(header().locks));
}

char* SharedMemory::record(const SharedRegion& region, uint32_t index) const {
  CHECK(index < region.count);
  return base_ + region.offset + region.stride * index;
}

std::span<SharedSlot> SharedMemory::slots(const SharedRegion& region) const {
  return {reinterpret_cast<SharedSlot*>(base_ + region.offset), static_cast<size_t>(region.count)};
}

RequestState& SharedMemory::request_state(uint32_t index) {
  return *reinterpret_cast<RequestState*>(record(header().request_states, index));
}

std::span<char> SharedMemory::request_buffer(uint32_t index) {
  return {record(header().request_buffers, index), limits::kFuseRequestBytes};
}

void SharedMemory::release_request_buffer(uint32_t index) {
  // Failing costs memory only.
  ::madvise(record(header().request_buffers, index), kRequestStride, MADV_REMOVE);
}

void SharedMemory::populate_request_buffer(uint32_t index) {
  char* base = record(header().request_buffers, index);
  if (::madvise(base, kRequestStride, kPopulateWrite) == 0) return;
  // Before Linux 5.14. Nobody else writes there now.
  for (size_t offset = 0; offset < kRequestStride; offset += kSharedPageBytes) {
    auto& byte = *reinterpret_cast<volatile char*>(base + offset);
    byte = byte;
  }
}

void SharedMemory::release_content(uint32_t index) {
  // Failing costs memory only.
  ::madvise(record(header().contents, index), limits::kSmallContentBytes, MADV_REMOVE);
}

std::span<char> SharedMemory::content(uint32_t index) {
  return {record(header().contents, index), limits::kSmallContentBytes};
}

}  // namespace weir
