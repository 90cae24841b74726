#pragma once

#include <cstdint>
#include <string_view>

#include "base/bytes.h"
#include "base/result.h"
#include "kv/engine.h"
#include "model/ids.h"

/// The register of keys: whatever lies in the metadata engine has its key made here (docs/data-model.md, "Metadata
/// keys"). One tag byte, then big-endian integers, so that keys sort as their numbers do. Every value starts with a
/// version byte. Pure functions.
namespace weir::meta::keys {

enum Tag : char {
  kInode = 'I',      // inode                        -> Inode
  kEntry = 'D',      // parent, cookie               -> Dentry
  kDelta = 'T',      // directory, node, slot        -> DirectoryDelta
  kXattr = 'X',      // inode, name                  -> XattrRow
  kPage = 'M',       // page                         -> PageRow
  kChunk = 'C',      // chunk                        -> ChunkRecord
  kReference = 'R',  // chunk, OwnerKind, inode/page -> ReferenceRow
  kDuty = 'H',       // chunk, node                  -> MarkRow
  kBuild = 'B',      // node, publish                -> BuildRow
  kOrphan = 'O',     // node, inode                  -> MarkRow
  kPin = 'S',        // inode, generation, node      -> PinRow; inode alone: the guard of these, MarkRow
  kQueue = 'Q',      // QueueClass, due_ms, serial   -> QueueRow
  kSlot = 'Y',       // node, slot                   -> SlotRow
  kNode = 'N',       // node                         -> NodeInfo
  kLease = 'n',      // node                         -> LeaseRow
  kCollector = 'W',  //                              -> CollectorRow
  kCounter = 'A',    // CounterKind                  -> CounterRow
  kLocks = 'K',      // inode, part                  -> part of LockTableRow
  kSettings = 'F',   //                              -> VolumeSettings
};

/// What names a chunk. Content of up to limits::kInlineChunkIds chunks is named by the inode itself.
enum class OwnerKind : uint8_t { kInode = 1, kPage = 2 };
enum class QueueClass : uint8_t {
  kContent = 1,    // superseded content: erase its pages and references
  kCondemned = 2,  // chunks that lost their last reference: decide about them for good
  kObject = 3,     // objects to delete
};
enum class CounterKind : uint8_t { kInode = 1, kPage = 2, kSerial = 3, kNode = 4 };

Bytes inode(InodeId inode);
/// Requires: kFirstCookie <= cookie < 2^63.
Bytes entry(InodeId parent, uint64_t cookie);
Bytes delta(InodeId directory, NodeId node, uint32_t slot);
Bytes xattr(InodeId inode, std::string_view name);
Bytes page(PageId page);
Bytes chunk(const ChunkId& chunk);
Bytes reference(const ChunkId& chunk, OwnerKind kind, uint64_t owner);
Bytes duty(const ChunkId& chunk, NodeId node);
Bytes build(NodeId node, uint64_t publish);
Bytes orphan(NodeId node, InodeId inode);
Bytes pin(InodeId inode, uint64_t generation, NodeId node);
Bytes pin_guard(InodeId inode);
Bytes queue(QueueClass queue_class, uint64_t due_ms, uint64_t serial);
Bytes slot(NodeId node, uint32_t slot);
Bytes node(NodeId node);
Bytes lease(NodeId node);
Bytes collector();
Bytes counter(CounterKind kind);
/// Part 0 is there while anything is locked or waited for.
Bytes locks(InodeId inode, uint32_t part);
Bytes settings();

/// What an engine is told when a volume is made: rows that change with every operation or are gone soon (`K` is
/// of locks).
kv::Layout layout();

/// Cookies below are not of entries: 0 is the start, 1 and 2 are "." and "..".
inline constexpr uint64_t kFirstCookie = 3;

kv::KeyRange all_of(Tag tag);
/// The entries behind `cookie`.
kv::KeyRange entries_behind(InodeId directory, uint64_t cookie);
kv::KeyRange deltas_of(InodeId directory);
kv::KeyRange xattrs_of(InodeId inode);
kv::KeyRange references_of(const ChunkId& chunk);
kv::KeyRange duties_of(const ChunkId& chunk);
kv::KeyRange builds_of(NodeId node);
kv::KeyRange orphans_of(NodeId node);
/// Without the guard.
kv::KeyRange pins_of(InodeId inode);
kv::KeyRange queue_of(QueueClass queue_class);
/// What is left of `range` behind `key`.
kv::KeyRange behind(const kv::KeyRange& range, std::string_view key);

/// The parts of a key, of keys that have them in this order. Corrupt when the key is not of that shape.
struct PairKey {  // D: parent, cookie. B: node, publish. O: node, inode
  uint64_t first = 0;
  uint64_t second = 0;
};
struct DeltaKey {
  InodeId directory;
  NodeId node;
  uint32_t slot = 0;
};
struct XattrKey {
  InodeId inode;
  std::string_view name;  // borrowed from the key
};
struct ReferenceKey {
  ChunkId chunk;
  OwnerKind kind = OwnerKind::kInode;
  uint64_t owner = 0;
};
struct DutyKey {
  ChunkId chunk;
  NodeId node;
};
struct PinKey {
  InodeId inode;
  bool is_guard = false;  // then without the rest
  uint64_t generation = 0;
  NodeId node;
};
struct QueueKey {
  QueueClass queue_class = QueueClass::kContent;
  uint64_t due_ms = 0;
  uint64_t serial = 0;
};
struct LocksKey {
  InodeId inode;
  uint32_t part = 0;
};
Result<LocksKey> parse_locks(std::string_view key);
Result<uint64_t> parse_number(std::string_view key);  // I, M
Result<NodeId> parse_node(std::string_view key);      // N, n
Result<PairKey> parse_pair(std::string_view key);
Result<DeltaKey> parse_delta(std::string_view key);
Result<XattrKey> parse_xattr(std::string_view key);
Result<ChunkId> parse_chunk(std::string_view key);
Result<ReferenceKey> parse_reference(std::string_view key);
Result<DutyKey> parse_duty(std::string_view key);
Result<PinKey> parse_pin(std::string_view key);
Result<QueueKey> parse_queue(std::string_view key);

}  // namespace weir::meta::keys
