// The record that lets a later life go on with a staging file. Format: docs/formats.md, "Staging record".
#include "base/bytes.h"
#include "base/check.h"
#include "base/io.h"
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

Result<Draft::RecordHead> Draft::head_of_record(std::string_view record) {
  Decoder decoder(record);
  check_version(decoder);
  RecordHead head;
  head.inode.value = decoder.u64();
  head.base_generation = decoder.u64();
  if (decoder.failed() || head.inode.value > kInodeIdMax) return error(Code::kCorrupt, "staging record is malformed");
  return head;
}

Status Draft::save_record(InodeId inode) {
  TRY(staging_->save_record(encode_record(inode)));
  recorded_for_ = inode;
  // What was saved before is older; its file goes only when the record of this one cannot be lost any more.
  if (!leftovers_.staged.empty()) TRY(cache_.sync_journal());
  for (uint64_t id : std::exchange(leftovers_.sealed, {})) TRY(cache_.forget_record(id));
  leftovers_.staged.clear();
  return {};
}

Status Draft::renew_record() {
  if (recorded_for_.value == 0) return {};
  // A record that outlives bytes which it speaks of would make zeros of them.
  TRY(io::sync_data(staging_->fd(), "staging"));
  return staging_->save_record(encode_record(recorded_for_));
}

Status Draft::keep(InodeId inode) {
  if (in_memory()) TRY(leave_memory());
  TRY(open_staging());
  TRY(save_record(inode));
  staging_->keep();
  return {};
}

/// Of a content that was sealed, the bytes of all chunks are in the cache.
Status Draft::decode_pieces(Decoder& decoder, const Manifest* sealed) {
  const uint64_t count = chunk_count(size_);
  const auto& base_manifest = base_->manifest();
  while (!decoder.failed() && pieces_.size() < count) {
    auto source = static_cast<Source>(decoder.u8());
    uint8_t flags = decoder.u8();
    uint64_t run = decoder.u64();
    if (source < Source::kHole || source > Source::kElsewhere || run == 0 || run > count - pieces_.size())
      decoder.fail();
    for (uint64_t i = 0; i < run && !decoder.failed(); ++i) {
      uint64_t index = pieces_.size();
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
      } else if (source == Source::kOwn && sealed != nullptr) {
        piece.id = sealed->chunks[index];
        piece.source = piece.id.is_zero() ? Source::kHole : Source::kElsewhere;
        piece.hashed = true;
      }
      pieces_.push_back(piece);
    }
  }
  return decoder.finish("staging record");
}

Result<std::unique_ptr<Draft>> Draft::recovered(Place place, cache::Recovered& recovered,
                                                std::shared_ptr<Version> base) {
  Decoder decoder(recovered.record);
  ASSIGN_OR_RETURN(RecordHead head, head_of_record(recovered.record));
  decoder.raw(1 + 2 * sizeof(uint64_t));
  std::unique_ptr<Draft> draft(new Draft(place, std::move(base), head.base_generation));
  draft->replaces_ = decoder.u8() != 0;
  draft->size_ = decoder.u64();
  draft->mtime_ns_ = decoder.i64();
  draft->changed_ = true;
  if (draft->size_ > limits::kFileBytes || (recovered.sealed && recovered.sealed->size != draft->size_))
    return error(Code::kCorrupt, "staging record of inode {} has a wrong size", head.inode.value);
  TRY(draft->decode_pieces(decoder, recovered.sealed.get()));
  if (recovered.sealed) {
    draft->leftovers_.sealed.push_back(recovered.id);
  } else {
    draft->staging_ = std::move(recovered.staging);
    draft->recorded_for_ = head.inode;
  }
  return draft;
}

}  // namespace weir::vfs
