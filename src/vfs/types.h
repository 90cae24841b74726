#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "base/result.h"
#include "model/inode.h"
#include "model/lock.h"
#include "vfs/open_modes.h"

namespace weir::vfs {

/// What the kernel calls an inode: the inode number in the low 48 bits, the kernel epoch above. A node id is one
/// version of one content as far as the kernel caches it; attributes always show the one inode number
/// (docs/kernel-channel.md).
struct KernelNode {
  uint64_t value = 0;
  InodeId inode() const { return InodeId{value & kInodeIdMax}; }
  uint16_t epoch() const { return static_cast<uint16_t>(value >> 48); }
  static KernelNode of(InodeId inode, uint16_t epoch) { return {inode.value | static_cast<uint64_t>(epoch) << 48}; }
  auto operator<=>(const KernelNode&) const = default;
};

/// Who asks.
struct Caller {
  uint32_t uid = 0;
  uint32_t gid = 0;
  uint32_t pid = 0;     // 0: in another pid namespace
  uint64_t unique = 0;  // the kernel's number of the request
};

/// What stat shows.
struct Attributes {
  InodeId inode;
  uint32_t mode = 0;  // type and permission bits
  uint32_t link_count = 0;
  uint32_t uid = 0;
  uint32_t gid = 0;
  uint32_t device = 0;
  uint64_t size = 0;
  uint64_t blocks_512 = 0;
  int64_t atime_ns = 0;
  int64_t mtime_ns = 0;
  int64_t ctime_ns = 0;
  int64_t btime_ns = 0;
  bool fleeting = false;  // of a node id of the past: the kernel shall not keep them
};

struct Entry {
  KernelNode node;
  Attributes attributes;
  bool fleeting = false;  // the kernel shall ask again the next time
  bool once = false;      // the name is for the call alone that looked it up
};

/// How long the kernel may keep what it was told.
struct Lifetimes {
  int64_t entry_ms = 0;
  int64_t attributes_ms = 0;
  int64_t absent_ms = 0;
};

using HandleId = uint64_t;

struct Opened {
  HandleId handle = 0;
  OpenMode mode = OpenMode::kCached;
  bool keep_cache = false;  // pages that the kernel has of this node id are still right
  int32_t backing_id = 0;   // of BackingFiles; for the modes that pass through
};

struct CreatedFile {
  Entry entry;
  Opened opened;
};

/// A SETATTR. Fields that are not set stay.
struct SetAttributes {
  std::optional<uint32_t> mode;
  std::optional<uint32_t> uid;
  std::optional<uint32_t> gid;
  std::optional<uint64_t> size;
  std::optional<int64_t> atime_ns;
  std::optional<int64_t> mtime_ns;
  std::optional<int64_t> ctime_ns;
  bool atime_now = false;
  bool mtime_now = false;
};

struct DirectoryItem {
  std::string name;
  uint64_t next_cookie = 0;  // where the walk goes on behind this entry
  FileType type = FileType::kFile;
  InodeId inode;
  std::optional<Entry> entry;  // with `plus`; not for "." and ".."
};

struct VolumeStatistics {
  uint64_t block_bytes = 4096;
  uint64_t blocks = 0;
  uint64_t blocks_free = 0;
  uint64_t inodes = 0;
  uint64_t inodes_free = 0;
};

/// Who writes. The kernel writes back a page stored through a mapping when it likes, a truncation later as well: such a
/// write never makes the file larger.
enum class WriteFrom : uint8_t { kProgram, kPageCache };

using weir::Lock;
using weir::LockKind;
using weir::LockType;

/// Called once, from any thread, when a lock is granted or refused.
using LockDone = std::function<void(const Status&)>;

}  // namespace weir::vfs
