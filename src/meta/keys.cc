#include "meta/keys.h"

#include "base/hex.h"

namespace weir::meta::keys {

namespace {

Encoder start(Tag tag) {
  Encoder encoder;
  encoder.u8(static_cast<uint8_t>(tag));
  return encoder;
}

kv::KeyRange range_of(Encoder&& prefix) { return kv::KeyRange::prefix(std::move(prefix).take()); }

Decoder parts_of(std::string_view key) { return Decoder(key.empty() ? key : key.substr(1)); }

/// Corrupt, with the key, unless the decoder used up exactly the key.
Status finish(const Decoder& decoder, std::string_view key) {
  if (auto status = decoder.finish("key"); !status) return error(Code::kCorrupt, "key {} is malformed", to_hex(key));
  return {};
}

ChunkId chunk_of(Decoder& decoder) {
  std::string_view bytes = decoder.raw(32);
  return decoder.failed() ? ChunkId() : ChunkId::from_bytes(bytes);
}

}  // namespace

Bytes inode(InodeId inode) { return std::move(start(kInode).u64(inode.value)).take(); }
Bytes entry(InodeId parent, uint64_t cookie) { return std::move(start(kEntry).u64(parent.value).u64(cookie)).take(); }
Bytes delta(InodeId directory, NodeId node, uint32_t slot) {
  return std::move(start(kDelta).u64(directory.value).u32(node.value).u32(slot)).take();
}
Bytes xattr(InodeId inode, std::string_view name) { return std::move(start(kXattr).u64(inode.value).raw(name)).take(); }
Bytes page(PageId page) { return std::move(start(kPage).u64(page.value)).take(); }
Bytes chunk(const ChunkId& chunk) { return std::move(start(kChunk).raw(chunk.bytes())).take(); }
Bytes reference(const ChunkId& chunk, OwnerKind kind, uint64_t owner) {
  return std::move(start(kReference).raw(chunk.bytes()).u8(static_cast<uint8_t>(kind)).u64(owner)).take();
}
Bytes duty(const ChunkId& chunk, NodeId node) {
  return std::move(start(kDuty).raw(chunk.bytes()).u32(node.value)).take();
}
Bytes build(NodeId node, uint64_t publish) { return std::move(start(kBuild).u64(node.value).u64(publish)).take(); }
Bytes orphan(NodeId node, InodeId inode) { return std::move(start(kOrphan).u64(node.value).u64(inode.value)).take(); }
Bytes pin(InodeId inode, uint64_t generation, NodeId node) {
  return std::move(start(kPin).u64(inode.value).u64(generation).u32(node.value)).take();
}
Bytes pin_guard(InodeId inode) { return std::move(start(kPin).u64(inode.value)).take(); }
Bytes queue(QueueClass queue_class, uint64_t due_ms, uint64_t serial) {
  return std::move(start(kQueue).u8(static_cast<uint8_t>(queue_class)).u64(due_ms).u64(serial)).take();
}
Bytes slot(NodeId node, uint32_t slot) { return std::move(start(kSlot).u32(node.value).u32(slot)).take(); }
Bytes node(NodeId node) { return std::move(start(kNode).u32(node.value)).take(); }
Bytes lease(NodeId node) { return std::move(start(kLease).u32(node.value)).take(); }
Bytes counter(CounterKind kind) { return std::move(start(kCounter).u8(static_cast<uint8_t>(kind))).take(); }
Bytes collector() { return std::move(start(kCollector)).take(); }
Bytes locks(InodeId inode, uint32_t part) { return std::move(start(kLocks).u64(inode.value).u32(part)).take(); }
Bytes settings() { return std::move(start(kSettings)).take(); }

kv::Layout layout() { return {Bytes{kDelta, kDuty, kBuild, kOrphan, kQueue, kSlot, kLease, kPin, 'K'}}; }

kv::KeyRange all_of(Tag tag) { return range_of(start(tag)); }
kv::KeyRange entries_behind(InodeId directory, uint64_t cookie) {
  kv::KeyRange range = range_of(std::move(start(kEntry).u64(directory.value)));
  range.begin = entry(directory, cookie + 1);
  return range;
}
kv::KeyRange deltas_of(InodeId directory) { return range_of(std::move(start(kDelta).u64(directory.value))); }
kv::KeyRange xattrs_of(InodeId inode) { return range_of(std::move(start(kXattr).u64(inode.value))); }
kv::KeyRange references_of(const ChunkId& chunk) { return range_of(std::move(start(kReference).raw(chunk.bytes()))); }
kv::KeyRange duties_of(const ChunkId& chunk) { return range_of(std::move(start(kDuty).raw(chunk.bytes()))); }
kv::KeyRange builds_of(NodeId node) { return range_of(std::move(start(kBuild).u64(node.value))); }
kv::KeyRange orphans_of(NodeId node) { return range_of(std::move(start(kOrphan).u64(node.value))); }
kv::KeyRange pins_of(InodeId inode) { return behind(kv::KeyRange::prefix(pin_guard(inode)), pin_guard(inode)); }
kv::KeyRange queue_of(QueueClass queue_class) {
  return range_of(std::move(start(kQueue).u8(static_cast<uint8_t>(queue_class))));
}

kv::KeyRange behind(const kv::KeyRange& range, std::string_view key) {
  kv::KeyRange rest;
  rest.begin.reserve(key.size() + 1);
  rest.begin.append(key);
  rest.begin.push_back('\0');  // the least key above
  rest.end = range.end;
  return rest;
}

Result<LocksKey> parse_locks(std::string_view key) {
  Decoder decoder = parts_of(key);
  LocksKey parts;
  parts.inode.value = decoder.u64();
  parts.part = decoder.u32();
  TRY(finish(decoder, key));
  return parts;
}

Result<uint64_t> parse_number(std::string_view key) {
  Decoder decoder = parts_of(key);
  uint64_t number = decoder.u64();
  TRY(finish(decoder, key));
  return number;
}

Result<NodeId> parse_node(std::string_view key) {
  Decoder decoder = parts_of(key);
  const NodeId node{decoder.u32()};
  TRY(finish(decoder, key));
  return node;
}

Result<PairKey> parse_pair(std::string_view key) {
  Decoder decoder = parts_of(key);
  PairKey parts;
  parts.first = decoder.u64();
  parts.second = decoder.u64();
  TRY(finish(decoder, key));
  return parts;
}

Result<DeltaKey> parse_delta(std::string_view key) {
  Decoder decoder = parts_of(key);
  DeltaKey parts;
  parts.directory.value = decoder.u64();
  parts.node.value = decoder.u32();
  parts.slot = decoder.u32();
  TRY(finish(decoder, key));
  return parts;
}

Result<XattrKey> parse_xattr(std::string_view key) {
  Decoder decoder = parts_of(key);
  XattrKey parts;
  parts.inode.value = decoder.u64();
  parts.name = decoder.raw(decoder.remaining());
  if (parts.name.empty()) decoder.fail();
  TRY(finish(decoder, key));
  return parts;
}

Result<ChunkId> parse_chunk(std::string_view key) {
  Decoder decoder = parts_of(key);
  ChunkId chunk = chunk_of(decoder);
  TRY(finish(decoder, key));
  return chunk;
}

Result<ReferenceKey> parse_reference(std::string_view key) {
  Decoder decoder = parts_of(key);
  ReferenceKey parts;
  parts.chunk = chunk_of(decoder);
  uint8_t kind = decoder.u8();
  if (kind < 1 || kind > 2) decoder.fail();
  parts.kind = static_cast<OwnerKind>(kind);
  parts.owner = decoder.u64();
  TRY(finish(decoder, key));
  return parts;
}

Result<DutyKey> parse_duty(std::string_view key) {
  Decoder decoder = parts_of(key);
  DutyKey parts;
  parts.chunk = chunk_of(decoder);
  parts.node.value = decoder.u32();
  TRY(finish(decoder, key));
  return parts;
}

Result<PinKey> parse_pin(std::string_view key) {
  Decoder decoder = parts_of(key);
  PinKey parts;
  parts.inode.value = decoder.u64();
  parts.is_guard = decoder.remaining() == 0;
  if (!parts.is_guard) {
    parts.generation = decoder.u64();
    parts.node.value = decoder.u32();
  }
  TRY(finish(decoder, key));
  return parts;
}

Result<QueueKey> parse_queue(std::string_view key) {
  Decoder decoder = parts_of(key);
  QueueKey parts;
  uint8_t queue_class = decoder.u8();
  if (queue_class < 1 || queue_class > 3) decoder.fail();
  parts.queue_class = static_cast<QueueClass>(queue_class);
  parts.due_ms = decoder.u64();
  parts.serial = decoder.u64();
  TRY(finish(decoder, key));
  return parts;
}

}  // namespace weir::meta::keys
