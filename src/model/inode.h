#pragma once

#include <cstdint>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "model/ids.h"

namespace weir {

enum class FileType : uint8_t {
  kFile = 1,
  kDirectory = 2,
  kSymlink = 3,
  kFifo = 4,
  kSocket = 5,
  kCharDevice = 6,
  kBlockDevice = 7,
};

/// The S_IF… bits of a type, and back. Invalid for other bits.
uint32_t mode_bits_of(FileType type);
Result<FileType> type_of_mode(uint32_t mode);

/// Where a file's bytes are. Exactly one of the three is used, by size: inline bytes up to limits::kInlineContentBytes,
/// chunk ids up to limits::kInlineChunkIds of them, pages above. (A short inode may use a longer form; never the
/// reverse.)
struct Content {
  enum class Form : uint8_t { kInline = 1, kChunks = 2, kPages = 3 };
  Form form = Form::kInline;
  Bytes inline_bytes;           // may be shorter than the size: the rest is zeros
  std::vector<ChunkId> chunks;  // kChunks: chunk_count(size) of them
  std::vector<PageId> pages;    // kPages: one for each limits::kPageChunkIds chunks
  ManifestId manifest;          // zero for kInline
  bool operator==(const Content&) const = default;
};

/// The value of an `I` row (docs/data-model.md). Times are nanoseconds since 1970.
struct Inode {
  InodeId id;  // the key; not encoded
  FileType type = FileType::kFile;
  uint32_t mode = 0;  // permission, setuid, setgid and sticky bits only (07777)
  uint32_t uid = 0;
  uint32_t gid = 0;
  uint32_t link_count = 1;  // of a directory: 2; its subdirectories are counted in `T` rows
  uint32_t device = 0;      // makedev() number of a device file
  int64_t atime_ns = 0;
  int64_t mtime_ns = 0;
  int64_t ctime_ns = 0;
  int64_t btime_ns = 0;
  uint64_t size = 0;
  uint64_t generation = 0;  // raised by every publish and truncation: one number, one content
  InodeId parent;           // of a directory; what ".." means
  bool has_xattrs = false;  // saves a scan when there are none
  bool has_default_acl = false;
  Bytes symlink_target;
  Content content;

  Bytes encode() const;
  static Result<Inode> decode(InodeId id, std::string_view bytes);
  bool operator==(const Inode&) const = default;
};

}  // namespace weir
