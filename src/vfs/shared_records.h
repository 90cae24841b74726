#pragma once

#include <cstdint>

/// What the filesystem keeps in the slots of the shared memory file (docs/shared-memory.md), so that a successor of
/// this process can go on with it.
namespace weir::vfs {

/// Payload of a handle's slot.
struct HandleRecord {
  uint64_t inode = 0;
  uint32_t flags = 0;  // of open(2)
  uint32_t is_directory = 0;
  uint32_t mode = 0;       // OpenMode, of files
  int32_t backing_id = 0;  // what the kernel calls the file that it reads itself; 0: none
};

/// Payload of a content's slot; the bytes lie in the content itself.
struct SmallDraftRecord {
  uint64_t inode = 0;
  uint64_t base_generation = 0;
  uint64_t size = 0;
  int64_t mtime_ns = 0;
  uint64_t changed = 0;  // 1: not published yet
};

}  // namespace weir::vfs
