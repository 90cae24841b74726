#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

/// What the filesystem keeps in the slots of the shared memory file (docs/shared-memory.md), so that a successor of
/// this process can go on with it.
namespace weir::vfs {

/// Payload of a handle's slot. An inode of 0: the process died before the record was whole.
struct HandleRecord {
  uint64_t inode = 0;
  uint32_t flags = 0;         // of open(2)
  uint32_t is_directory = 0;  // by earlier versions, which had handles for directories
  uint32_t mode = 0;          // OpenMode
  int32_t backing_id = 0;     // what the kernel calls the file that it reads itself; 0: none
  uint64_t request = 0;       // of the kernel, that opened it
  uint32_t epoch = 0;         // of the node id through which it was opened
  uint32_t first_epoch = 0;   // of the content that it shows
  uint64_t lock_owner = 0;    // of fcntl locks that were taken last through it, and that closing did not end; 0: none
};

/// Payload of a lock's slot: vfs/types.h, Lock. An inode of 0 as above.
struct LockRecord {
  uint64_t inode = 0;
  uint64_t owner = 0;
  uint64_t first = 0;
  uint64_t last = 0;
  uint32_t pid = 0;
  uint8_t kind = 0;
  uint8_t type = 0;
};

/// Payload of a staged draft's slot: an unpublished content whose bytes lie in a staging file. Where they lie there is
/// in the file's handover record (docs/formats.md, "Staging record").
struct StagedDraftRecord {
  uint64_t inode = 0;
  uint64_t base_generation = 0;
  uint64_t staging_id = 0;
  uint64_t size = 0;
  int64_t mtime_ns = 0;
};

/// Payload of a slot in the table of staged drafts, for a draft of either kind: what was set on its file and travels
/// with its publish.
struct CarriedRecord {
  static constexpr uint64_t kKind = UINT64_MAX;
  uint64_t inode = 0;
  int64_t atime_ns = 0;
  uint64_t kind = kKind;  // where a staged draft has its staging id, which is never that
  int64_t ctime_ns = 0;
  uint32_t mode = 0;
  uint32_t uid = 0;
  uint32_t gid = 0;
  uint32_t set = 0;  // bits: mode 1, uid 2, gid 4, atime 8
};
static_assert(offsetof(CarriedRecord, kind) == offsetof(StagedDraftRecord, staging_id));

/// Writes a record into a slot so that a process that dies meanwhile leaves one without an inode.
template <class Record>
void write_record(Record& place, const Record& record) {
  Record without_inode = record;
  without_inode.inode = 0;
  place = without_inode;
  // The reader comes after this process: only the compiler could change the order.
  std::atomic_signal_fence(std::memory_order_seq_cst);
  place.inode = record.inode;
}

/// Payload of a content's slot; the bytes lie in the content itself.
struct SmallDraftRecord {
  uint64_t inode = 0;
  uint64_t base_generation = 0;
  uint64_t size = 0;
  int64_t mtime_ns = 0;
  uint64_t changed = 0;  // 1: not published yet
};

}  // namespace weir::vfs
