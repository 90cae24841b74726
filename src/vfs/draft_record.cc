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
constexpr uint8_t kCarryingVersion = 2;  // with attributes
constexpr uint8_t kReplaces = 1;
constexpr uint8_t kLiveDraft = 2;
constexpr uint8_t kMapped = 4;
constexpr uint8_t kChanged = 1;
constexpr uint8_t kBrought = 2;

uint8_t version_of(Decoder& decoder) {
  const uint8_t version = decoder.u8();
  if (version != kRecordVersion && version != kCarryingVersion) decoder.fail();
  return version;
}

}  // namespace

Bytes Draft::encode_record(InodeId inode) const { return encode(inode, carries()); }

Bytes Draft::encode(InodeId inode, bool with_carried) const {
  CHECK(!in_memory());
  Encoder encoder;
  const int flags = (replaces_ ? kReplaces : 0) | (live_ ? kLiveDraft : 0) | (mapped_ ? kMapped : 0);
  encoder.u8(with_carried ? kCarryingVersion : kRecordVersion).u64(inode.value).u64(base_generation_);
  encoder.u8(static_cast<uint8_t>(flags)).u64(size_).i64(mtime_ns_);
  if (with_carried) encode_carried(encoder);
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
  version_of(decoder);
  RecordHead head;
  head.inode.value = decoder.u64();
  head.base_generation = decoder.u64();
  head.live = (decoder.u8() & kLiveDraft) != 0;
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

Status Draft::renew_records() {
  TRY(renew_record());
  return save_handover();
}

// ---- For a successor on the running machine.

Draft::~Draft() {
  // First what only means something beside the other.
  forget_carried();
  forget_slot();
}

void Draft::forget_slot() {
  if (slot_) slots_.free(*slot_);
  slot_.reset();
}

SmallDraftRecord Draft::small_record() const {
  return {inode_.value, base_generation_, size_, mtime_ns_, changed_ ? uint64_t{1} : 0};
}

Status Draft::save_handover() {
  TRY(staging_->save_handover(encode(inode_, false)));
  pieces_noted_ = true;
  if (slot_) {
    slots_.find(*slot_)->as<StagedDraftRecord>().staging_id = staging_->id();
    return {};
  }
  slot_ = slots_.allocate();
  if (slot_)
    write_record(slots_.find(*slot_)->as<StagedDraftRecord>(),
                 {inode_.value, base_generation_, staging_->id(), size_, mtime_ns_});
  return {};
}

Status Draft::note() {
  if (in_memory()) {
    if (memory_.note(small_record()) || !changed_) return {};
    TRY(leave_memory());
  }
  if (!changed_ && !live_) return {};
  if (!pieces_noted_) {
    TRY(open_staging());
    TRY(save_handover());
  }
  if (!slot_) return {};
  auto& record = slots_.find(*slot_)->as<StagedDraftRecord>();
  record.base_generation = base_generation_;
  record.size = size_;
  record.mtime_ns = mtime_ns_;
  return {};
}

std::unique_ptr<Draft> Draft::resumed(Place place, SlotId slot, const SmallDraftRecord& noted,
                                      std::shared_ptr<Version> base) {
  std::unique_ptr<Draft> draft(new Draft(place, std::move(base), noted.base_generation));
  draft->memory_.restore(slot, noted.size);
  draft->size_ = noted.size;
  draft->mtime_ns_ = noted.mtime_ns;
  draft->changed_ = true;
  return draft;
}

Result<std::unique_ptr<Draft>> Draft::resumed(Place place, SlotId slot, const StagedDraftRecord& noted,
                                              cache::Recovered& recovered, std::shared_ptr<Version> base,
                                              uint64_t generation) {
  if (noted.size > limits::kFileBytes)
    return error(Code::kCorrupt, "the draft of inode {} has an impossible size", noted.inode);
  ASSIGN_OR_RETURN(const RecordHead head, head_of_record(recovered.handover));
  ASSIGN_OR_RETURN(auto draft, decoded(place, recovered.handover, recovered.sealed.get(), std::move(base)));
  // A change that broke off may have got as far as the record, or only as far as the file. It will be done again.
  const size_t recorded = draft->pieces_.size();
  draft->size_ = noted.size;
  draft->pieces_.resize(chunk_count(noted.size));
  for (size_t index = recorded; index < draft->pieces_.size(); ++index)
    draft->pieces_[index].hashed = draft->pieces_[index].changed = true;
  if (!recovered.sealed) TRY(recovered.staging->truncate(noted.size));
  draft->mtime_ns_ = noted.mtime_ns;
  draft->slot_ = slot;
  draft->adopt(recovered);
  if (head.live) draft->resume_live(generation);
  return draft;
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
        if (index < sealed->chunks.size()) piece.id = sealed->chunks[index];
        piece.source = piece.id.is_zero() ? Source::kHole : Source::kElsewhere;
        piece.hashed = true;
      }
      pieces_.push_back(piece);
    }
  }
  return decoder.finish("staging record");
}

Result<std::unique_ptr<Draft>> Draft::decoded(Place place, std::string_view record, const Manifest* sealed,
                                              std::shared_ptr<Version> base) {
  Decoder decoder(record);
  ASSIGN_OR_RETURN(RecordHead head, head_of_record(record));
  const bool with_carried = version_of(decoder) == kCarryingVersion;
  decoder.raw(2 * sizeof(uint64_t));
  std::unique_ptr<Draft> draft(new Draft(place, std::move(base), head.base_generation));
  const uint8_t flags = decoder.u8();
  draft->replaces_ = (flags & kReplaces) != 0;
  draft->mapped_ = (flags & kMapped) != 0;
  draft->size_ = decoder.u64();
  draft->mtime_ns_ = decoder.i64();
  if (with_carried) draft->decode_carried(decoder);
  draft->changed_ = true;
  if (draft->size_ > limits::kFileBytes)
    return error(Code::kCorrupt, "staging record of inode {} has a wrong size", head.inode.value);
  TRY(draft->decode_pieces(decoder, sealed));
  return draft;
}

void Draft::adopt(cache::Recovered& recovered) {
  if (recovered.sealed) {
    leftovers_.sealed.push_back(recovered.id);
    return;
  }
  staging_ = std::move(recovered.staging);
  if (!recovered.record.empty()) recorded_for_ = inode_;
}

/// Its file is what readers see, whatever was published meanwhile: that can only have been an earlier state of it.
void Draft::resume_live(uint64_t generation) {
  live_ = true;
  base_generation_ = generation;
  if (!base_->has_image()) replaces_ = true;
  changed_ = replaces_ || size_ != base_->size();
  for (uint64_t index = 0; index < pieces_.size(); ++index) {
    Piece& piece = pieces_[index];
    const bool known = base_->has_image() && index < base_->manifest()->chunks.size();
    if (replaces_ || !known) piece.changed = piece.brought = true;
    changed_ = changed_ || piece.changed;
    if (piece.changed) continue;
    piece.id = base_->manifest()->chunks[index];
    piece.source = piece.id.is_zero() ? Source::kHole : Source::kOwn;
    piece.hashed = true;
  }
}

Result<std::unique_ptr<Draft>> Draft::recovered(Place place, cache::Recovered& recovered,
                                                std::shared_ptr<Version> base) {
  ASSIGN_OR_RETURN(auto draft, decoded(place, recovered.record, recovered.sealed.get(), std::move(base)));
  if (recovered.sealed && recovered.sealed->size != draft->size_)
    return error(Code::kCorrupt, "staging record of inode {} has a wrong size", place.inode.value);
  draft->adopt(recovered);
  return draft;
}

}  // namespace weir::vfs
