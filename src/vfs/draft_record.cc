// The record that lets a later life go on with a staging file. Format: docs/formats.md, "Staging record".
#include "base/bytes.h"
#include "base/check.h"
#include "base/limits.h"
#include "model/chunk.h"
#include "vfs/draft.h"

namespace weir::vfs {

namespace {

constexpr uint8_t kRecordVersion = 1;
constexpr uint8_t kChanged = 1;
constexpr uint8_t kBrought = 2;

void check_version(Decoder& decoder) {
  if (decoder.u8() != kRecordVersion) decoder.fail();
}

}  // namespace

Bytes Draft::encode_record(InodeId inode) const {
  CHECK(!in_memory());
  Encoder encoder;
  encoder.u8(kRecordVersion).u64(inode.value).u64(base_generation_).u8(replaces_ ? 1 : 0).u64(size_).i64(mtime_ns_);
  for (size_t first = 0; first < pieces_.size();) {
    const Piece& piece = pieces_[first];
    auto same = [&](const Piece& other) {
      return other.source == piece.source && other.changed == piece.changed && other.brought == piece.brought;
    };
    size_t end = first;
    while (end < pieces_.size() && same(pieces_[end])) ++end;
    encoder.u8(static_cast<uint8_t>(piece.source));
    encoder.u8(static_cast<uint8_t>((piece.changed ? kChanged : 0) | (piece.brought ? kBrought : 0)));
    encoder.u64(end - first);
    for (; first < end; ++first)
      if (piece.source == Source::kElsewhere && piece.changed) encoder.raw(pieces_[first].id.bytes());
  }
  return std::move(encoder).take();
}

Result<InodeId> Draft::inode_of_record(std::string_view record) {
  Decoder decoder(record);
  check_version(decoder);
  InodeId inode{decoder.u64()};
  if (decoder.failed()) return error(Code::kCorrupt, "staging record is malformed");
  return inode;
}

Result<std::unique_ptr<Draft>> Draft::recovered(cache::Cache& cache, std::unique_ptr<cache::Staging> staging,
                                                std::string_view record, std::shared_ptr<Version> base) {
  Decoder decoder(record);
  check_version(decoder);
  decoder.u64();  // the inode, see inode_of_record()
  uint64_t base_generation = decoder.u64();
  std::unique_ptr<Draft> draft(new Draft(cache, base, base_generation));
  draft->replaces_ = decoder.u8() != 0;
  draft->size_ = decoder.u64();
  draft->mtime_ns_ = decoder.i64();
  draft->changed_ = true;
  draft->staging_ = std::move(staging);
  uint64_t count = chunk_count(draft->size_);
  if (draft->size_ > limits::kFileBytes) decoder.fail();
  const auto& base_manifest = base->manifest();
  while (!decoder.failed() && draft->pieces_.size() < count) {
    auto source = static_cast<Source>(decoder.u8());
    uint8_t flags = decoder.u8();
    uint64_t run = decoder.u64();
    if (source < Source::kHole || source > Source::kElsewhere || run == 0 || run > count - draft->pieces_.size())
      decoder.fail();
    for (uint64_t i = 0; i < run && !decoder.failed(); ++i) {
      uint64_t index = draft->pieces_.size();
      Piece piece;
      piece.source = source;
      piece.changed = flags & kChanged;
      piece.brought = flags & kBrought;
      piece.hashed = source != Source::kOwn;
      if (source == Source::kElsewhere && piece.changed) {
        std::string_view id = decoder.raw(32);
        if (!decoder.failed()) piece.id = ChunkId::from_bytes(id);
      } else if (source == Source::kElsewhere) {
        if (base_manifest && index < base_manifest->chunks.size()) piece.id = base_manifest->chunks[index];
        if (piece.id.is_zero()) piece.source = Source::kHole;
      }
      draft->pieces_.push_back(piece);
    }
  }
  TRY(decoder.finish("staging record"));
  return draft;
}

}  // namespace weir::vfs
