#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "base/file_descriptor.h"
#include "base/limits.h"
#include "base/result.h"
#include "base/shared_layout.h"
#include "base/slot_table.h"

namespace weir {

struct SharedMemoryOptions {
  uint32_t requests = limits::kSharedRequests;
  uint32_t handles = limits::kSharedHandles;
  uint32_t contents = limits::kSharedContents;
  uint32_t drafts = limits::kSharedDrafts;
  uint32_t locks = limits::kSharedLocks;
};

/// The one file in memory that outlives a daemon: requests, open handles, locks and unpublished content lie in it
/// (docs/shared-memory.md). Nothing in it is a pointer, and pages cost memory only once they are touched. Thread-safe
/// as its parts say; the views live as long as this object.
class SharedMemory {
 public:
  /// A new, empty file that only its descriptor names.
  static Result<std::unique_ptr<SharedMemory>> create(const SharedMemoryOptions& options = {});
  /// The file of a predecessor. Corrupt when it is not ours or of another layout.
  static Result<std::unique_ptr<SharedMemory>> attach(FileDescriptor fd);
  ~SharedMemory();
  SharedMemory(const SharedMemory&) = delete;
  SharedMemory& operator=(const SharedMemory&) = delete;

  /// Still owned by this object; who keeps it for a successor duplicates it.
  int fd() const { return fd_.get(); }
  const SharedHeader& header() const { return *reinterpret_cast<const SharedHeader*>(base_); }

  uint32_t request_count() const { return static_cast<uint32_t>(header().request_states.count); }
  RequestState& request_state(uint32_t index);
  /// limits::kFuseRequestBytes, aligned to a page.
  std::span<char> request_buffer(uint32_t index);
  /// Gives the memory behind a request buffer back; it reads as zeros afterwards.
  void release_request_buffer(uint32_t index);
  /// Makes the memory behind a request buffer present in this process, so that the kernel never has to wait, or to look
  /// at signals, while it copies a request there. What the buffer holds stays.
  void populate_request_buffer(uint32_t index);

  SlotTable& handles() { return *handles_; }
  /// Each slot stands for the content of the same index.
  SlotTable& contents() { return *contents_; }
  /// limits::kSmallContentBytes.
  std::span<char> content(uint32_t index);
  /// Gives the memory behind a content back.
  void release_content(uint32_t index);
  SlotTable& drafts() { return *drafts_; }
  SlotTable& locks() { return *locks_; }
  SharedSession& session() { return *reinterpret_cast<SharedSession*>(record(header().session, 0)); }

 private:
  SharedMemory(FileDescriptor fd, char* base, size_t size);
  static Result<std::unique_ptr<SharedMemory>> map(FileDescriptor fd, size_t size);
  void open_tables();
  char* record(const SharedRegion& region, uint32_t index) const;
  std::span<SharedSlot> slots(const SharedRegion& region) const;

  FileDescriptor fd_;
  char* const base_;
  const size_t size_;
  std::unique_ptr<SlotTable> handles_;
  std::unique_ptr<SlotTable> contents_;
  std::unique_ptr<SlotTable> drafts_;
  std::unique_ptr<SlotTable> locks_;
};

}  // namespace weir
