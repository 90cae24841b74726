#include "meta/rows.h"

#include "base/limits.h"

namespace weir::meta {

namespace {

constexpr uint8_t kVersion = 1;

Encoder start() {
  Encoder encoder;
  encoder.u8(kVersion);
  return encoder;
}

Decoder start(std::string_view bytes) {
  Decoder decoder(bytes);
  if (decoder.u8() != kVersion) decoder.fail();
  return decoder;
}

bool read_flag(Decoder& decoder) {
  uint8_t flag = decoder.u8();
  if (flag > 1) decoder.fail();
  return flag == 1;
}

/// Number of items of `item_bytes` that follow; fails when there cannot be that many.
uint32_t read_count(Decoder& decoder, size_t item_bytes) {
  uint32_t count = decoder.u32();
  if (count > decoder.remaining() / item_bytes) decoder.fail();
  return decoder.failed() ? 0 : count;
}

ChunkId read_chunk(Decoder& decoder) {
  std::string_view bytes = decoder.raw(32);
  return decoder.failed() ? ChunkId() : ChunkId::from_bytes(bytes);
}

void write_chunks(Encoder& encoder, const std::vector<ChunkId>& chunks) {
  encoder.u32(static_cast<uint32_t>(chunks.size()));
  for (const ChunkId& chunk : chunks) encoder.raw(chunk.bytes());
}

std::vector<ChunkId> read_chunks(Decoder& decoder) {
  uint32_t count = read_count(decoder, 32);
  std::vector<ChunkId> chunks;
  chunks.reserve(count);
  for (uint32_t i = 0; i < count; ++i) chunks.push_back(read_chunk(decoder));
  return chunks;
}

void write_pages(Encoder& encoder, const std::vector<PageId>& pages) {
  encoder.u32(static_cast<uint32_t>(pages.size()));
  for (PageId page : pages) encoder.u64(page.value);
}

std::vector<PageId> read_pages(Decoder& decoder) {
  uint32_t count = read_count(decoder, 8);
  std::vector<PageId> pages;
  pages.reserve(count);
  for (uint32_t i = 0; i < count; ++i) pages.push_back(PageId{decoder.u64()});
  return pages;
}

}  // namespace

Bytes XattrRow::encode() const { return std::move(start().raw(value)).take(); }

Result<XattrRow> XattrRow::decode(std::string_view bytes) {
  Decoder decoder = start(bytes);
  XattrRow row;
  row.value = Bytes(decoder.raw(decoder.remaining()));
  TRY(decoder.finish("extended attribute"));
  return row;
}

Bytes PageRow::encode() const {
  Encoder encoder = start();
  encoder.u64(owner.value).u32(builder.value).u64(publish);
  write_chunks(encoder, chunks);
  return std::move(encoder).take();
}

Result<PageRow> PageRow::decode(std::string_view bytes) {
  Decoder decoder = start(bytes);
  PageRow row;
  row.owner.value = decoder.u64();
  row.builder.value = decoder.u32();
  row.publish = decoder.u64();
  row.chunks = read_chunks(decoder);
  if (row.chunks.size() > limits::kPageChunkIds) decoder.fail();
  TRY(decoder.finish("page"));
  return row;
}

Bytes ReferenceRow::encode() const { return std::move(start().u64(generation)).take(); }

Result<ReferenceRow> ReferenceRow::decode(std::string_view bytes) {
  Decoder decoder = start(bytes);
  ReferenceRow row;
  row.generation = decoder.u64();
  TRY(decoder.finish("reference"));
  return row;
}

Bytes MarkRow::encode() const { return std::move(start()).take(); }

Result<MarkRow> MarkRow::decode(std::string_view bytes) {
  TRY(start(bytes).finish("mark"));
  return MarkRow();
}

Bytes PinRow::encode() const {
  Encoder encoder = start();
  encoder.u32(first_epoch).raw(inode);
  return std::move(encoder).take();
}

Result<PinRow> PinRow::decode(std::string_view bytes) {
  Decoder decoder = start(bytes);
  PinRow row;
  row.first_epoch = decoder.u32();
  row.inode = Bytes(decoder.raw(decoder.remaining()));
  TRY(decoder.finish("pin"));
  return row;
}

Bytes BuildRow::encode() const {
  Encoder encoder = start();
  encoder.u64(inode.value);
  write_pages(encoder, pages);
  return std::move(encoder).take();
}

Result<BuildRow> BuildRow::decode(std::string_view bytes) {
  Decoder decoder = start(bytes);
  BuildRow row;
  row.inode.value = decoder.u64();
  row.pages = read_pages(decoder);
  TRY(decoder.finish("build"));
  return row;
}

Bytes QueueRow::encode() const {
  Encoder encoder = start();
  encoder.u64(inode.value).u64(generation);
  write_chunks(encoder, references);
  write_pages(encoder, pages);
  encoder.u32(static_cast<uint32_t>(chunks.size()));
  for (const ChunkGeneration& chunk : chunks)
    encoder.raw(chunk.chunk.bytes()).u64(chunk.generation).u32(chunk.length_bytes);
  return std::move(encoder).take();
}

Result<QueueRow> QueueRow::decode(std::string_view bytes) {
  Decoder decoder = start(bytes);
  QueueRow row;
  row.inode.value = decoder.u64();
  row.generation = decoder.u64();
  row.references = read_chunks(decoder);
  row.pages = read_pages(decoder);
  uint32_t count = read_count(decoder, 44);
  row.chunks.reserve(count);
  for (uint32_t i = 0; i < count; ++i) {
    ChunkGeneration chunk;
    chunk.chunk = read_chunk(decoder);
    chunk.generation = decoder.u64();
    chunk.length_bytes = decoder.u32();
    row.chunks.push_back(chunk);
  }
  TRY(decoder.finish("queue entry"));
  return row;
}

Bytes SlotRow::encode() const { return std::move(start().u64(request).u8(aborted ? 1 : 0).raw(reply)).take(); }

Result<SlotRow> SlotRow::decode(std::string_view bytes) {
  Decoder decoder = start(bytes);
  SlotRow row;
  row.request = decoder.u64();
  row.aborted = read_flag(decoder);
  row.reply = Bytes(decoder.raw(decoder.remaining()));
  TRY(decoder.finish("slot"));
  return row;
}

Bytes CollectorRow::encode() const { return std::move(start().u32(node.value).u64(epoch).u64(serial)).take(); }

Result<CollectorRow> CollectorRow::decode(std::string_view bytes) {
  Decoder decoder = start(bytes);
  CollectorRow row;
  row.node.value = decoder.u32();
  row.epoch = decoder.u64();
  row.serial = decoder.u64();
  TRY(decoder.finish("collector"));
  return row;
}

Bytes CounterRow::encode() const { return std::move(start().u64(next)).take(); }

Result<CounterRow> CounterRow::decode(std::string_view bytes) {
  Decoder decoder = start(bytes);
  CounterRow row;
  row.next = decoder.u64();
  TRY(decoder.finish("counter"));
  return row;
}

}  // namespace weir::meta
