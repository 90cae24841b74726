#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <type_traits>

/// The records of the shared memory file, byte for byte: docs/shared-memory.md. No pointers: another process reads
/// them.
namespace weir {

inline constexpr std::array<char, 8> kSharedMagic = {'W', 'E', 'I', 'R', 'S', 'H', 'M', '\0'};
inline constexpr uint32_t kSharedLayoutVersion = 2;
inline constexpr size_t kSharedPageBytes = 4096;
inline constexpr size_t kSharedSlotBytes = 64;

/// An array of `count` records of `stride` bytes, from `offset` in the file.
struct SharedRegion {
  uint64_t offset;
  uint64_t stride;
  uint64_t count;
};

struct SharedHeader {
  std::array<char, 8> magic;
  uint32_t layout_version;
  uint32_t header_bytes;
  uint64_t total_bytes;
  SharedRegion request_states;
  SharedRegion request_buffers;
  SharedRegion handles;
  SharedRegion content_states;
  SharedRegion contents;
  SharedRegion session;
  SharedRegion drafts;
  SharedRegion locks;
};

/// What was agreed once for the whole life of a mount, and what a successor must not ask again. 0: not known yet.
struct SharedSession {
  std::atomic<uint64_t> request_base;  // added to the kernel's request numbers to name a request in the metadata
  std::atomic<uint64_t> mount_device;  // the kernel's number of the mount, plus 1
  uint64_t kernel_offered;             // of INIT, as the fields below
  uint64_t kernel_flags;
  uint32_t kernel_minor;
  uint32_t minor;
  uint32_t max_write;
  uint32_t max_readahead;
  std::atomic<uint32_t> negotiated;  // 1: the fields of INIT are valid
  std::array<char, 12> padding;
};

/// What became of the request in the buffer of the same index.
struct RequestState {
  std::atomic<uint64_t> answered;     // the reply mark: 0, or the unique of the request that was answered
  std::atomic<uint64_t> interrupted;  // 0, or the unique of the request whose caller got a signal
  std::atomic<uint32_t> device;       // index of the descriptor that read it, which is the one to answer through
  std::atomic<uint32_t> used;         // 1: the buffer has been read into, and its memory not given back since
  std::array<char, 40> padding;
};

/// A slot of a table. `in_use` is 0 when free; the payload belongs to who allocated the slot.
struct SharedSlot {
  static constexpr size_t kPayloadBytes = kSharedSlotBytes - 8;

  std::atomic<uint32_t> in_use;
  uint32_t generation;  // of the slot, raised by each allocation
  alignas(8) std::array<std::byte, kPayloadBytes> payload;

  /// The payload as a record of the owner's. Requires: the same T for every use of a table.
  template <class T>
  T& as() {
    static_assert(std::is_trivially_copyable_v<T> && sizeof(T) <= kPayloadBytes && alignof(T) <= 8);
    return *reinterpret_cast<T*>(payload.data());
  }
};

static_assert(sizeof(RequestState) == kSharedSlotBytes && sizeof(SharedSlot) == kSharedSlotBytes);
static_assert(sizeof(SharedSession) == 64);
static_assert(sizeof(SharedHeader) == 24 + 8 * sizeof(SharedRegion) && sizeof(SharedHeader) <= kSharedPageBytes);
static_assert(std::atomic<uint64_t>::is_always_lock_free && std::atomic<uint32_t>::is_always_lock_free);

}  // namespace weir
