#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "model/ids.h"

/// Values that only metadata operations see; the others are in model/records.h. Each starts with a version byte
/// (docs/data-model.md). decode(): Corrupt for anything that encode() does not make.
namespace weir::meta {

/// Value of an `X` row.
struct XattrRow {
  Bytes value;
  Bytes encode() const;
  static Result<XattrRow> decode(std::string_view bytes);
};

/// Value of an `M` row. Immutable.
struct PageRow {
  InodeId owner;
  NodeId builder;  // with `publish`: the `B` row that protects the page until the inode names it
  uint64_t publish = 0;
  std::vector<ChunkId> chunks;  // limits::kPageChunkIds of them, fewer in the last page of a file
  Bytes encode() const;
  static Result<PageRow> decode(std::string_view bytes);
};

/// Value of an `R` row.
struct ReferenceRow {
  uint64_t generation = 0;  // of the owning inode, when the reference was last taken; 0 for pages
  Bytes encode() const;
  static Result<ReferenceRow> decode(std::string_view bytes);
};

/// Value of rows whose being there is all they say: `H`, `O`.
struct MarkRow {
  Bytes encode() const;
  static Result<MarkRow> decode(std::string_view bytes);
};

/// Value of an `S` row: what the node needs to go on with the content that it has open.
struct PinRow {
  uint32_t first_epoch = 0;  // of the node ids by which the node's kernel knows it
  Bytes inode;               // the inode as it was then: Inode::encode()
  Bytes encode() const;
  static Result<PinRow> decode(std::string_view bytes);
};

/// Value of a `B` row.
struct BuildRow {
  InodeId inode;
  std::vector<PageId> pages;  // written already or to be written
  Bytes encode() const;
  static Result<BuildRow> decode(std::string_view bytes);
};

/// One generation of a chunk: what an object is named by.
struct ChunkGeneration {
  ChunkId chunk;
  uint64_t generation = 0;
  uint32_t length_bytes = 0;
  bool operator==(const ChunkGeneration&) const = default;
};

/// Value of a `Q` row.
struct QueueRow {
  InodeId inode;                        // kContent: whose content it was
  uint64_t generation = 0;              // kContent: the last generation of the inode that had it
  std::vector<ChunkId> references;      // kContent: chunks that the inode itself named
  std::vector<PageId> pages;            // kContent
  std::vector<ChunkGeneration> chunks;  // kCondemned, kObject
  Bytes encode() const;
  static Result<QueueRow> decode(std::string_view bytes);
};

/// Value of a `Y` row.
struct SlotRow {
  uint64_t request = 0;  // 0: none yet
  bool aborted = false;  // the request was not done under the version before, and cannot be any more
  Bytes reply;
  Bytes encode() const;
  static Result<SlotRow> decode(std::string_view bytes);
};

/// Value of the `W` row: who collects garbage.
struct CollectorRow {
  NodeId node;
  uint64_t epoch = 0;   // of the node
  uint64_t serial = 0;  // of the run
  Bytes encode() const;
  static Result<CollectorRow> decode(std::string_view bytes);
};

/// Value of an `A` row.
struct CounterRow {
  uint64_t next = 0;  // never handed out yet
  Bytes encode() const;
  static Result<CounterRow> decode(std::string_view bytes);
};

}  // namespace weir::meta
