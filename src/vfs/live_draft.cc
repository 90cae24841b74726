// Drafts that write the file which the kernel shows to readers.
#include <fcntl.h>
#include <unistd.h>

#include "base/check.h"
#include "base/limits.h"
#include "model/chunk.h"
#include "vfs/draft.h"

namespace weir::vfs {

Result<std::unique_ptr<Draft>> Draft::live_over(Place place, std::shared_ptr<Version> base, uint64_t base_generation) {
  ASSIGN_OR_RETURN(auto image, base->image());
  if (!image->complete())
    return error(Code::kBusy, "the file that the kernel shows of inode {} is not known any more; close it first",
                 place.inode.value);
  std::unique_ptr<Draft> draft(new Draft(place, base, base_generation));
  draft->live_ = true;
  draft->size_ = base->size();
  ASSIGN_OR_RETURN(draft->staging_, place.cache.begin_take_over(*image));
  for (const ChunkId& id : base->manifest()->chunks) {
    Piece piece;
    piece.id = id;
    piece.source = id.is_zero() ? Source::kHole : Source::kOwn;
    piece.hashed = true;
    draft->pieces_.push_back(piece);
  }
  // Once it is no image any more, a successor must know that the kernel shows this file.
  TRY(draft->note());
  TRY(place.cache.finish_take_over(*image));
  return draft;
}

bool Draft::end_mapping() {
  if (!mapped_) return true;
  // A lease for reading is granted only if nobody can write the file, by a descriptor or a mapping (fcntl(2)).
  mapped_ = !staging_->has_no_other_writer();
  return !mapped_;
}

Status Draft::find_stores() {
  Bytes bytes;
  for (uint64_t index = 0; index < pieces_.size(); ++index) {
    Piece& piece = pieces_[index];
    if (changed_ && piece.changed && piece.source == Source::kOwn) continue;  // will be read anyway
    bytes.resize(stored_length(index));
    TRY(staging_->read(chunk_offset(index), std::span<char>(bytes.data(), bytes.size())));
    if (chunk_id_of(bytes) == piece.id) continue;
    piece.source = Source::kOwn;
    touch(index);
  }
  return {};
}

Result<std::shared_ptr<cache::Image>> Draft::seal_copy() {
  ASSIGN_OR_RETURN(auto copy, cache_.new_staging());
  TRY(copy->truncate(size_));
  auto manifest = std::make_shared<Manifest>();
  manifest->size = size_;
  std::vector<bool> own(pieces_.size());
  Bytes bytes;
  for (uint64_t index = 0; index < pieces_.size(); ++index) {
    Piece& piece = pieces_[index];
    if (piece.source == Source::kOwn && piece.changed) {
      // Read once: a mapping may change them at any moment, and id and bytes must be of the same one.
      bytes.resize(stored_length(index));
      TRY(staging_->read(chunk_offset(index), std::span<char>(bytes.data(), bytes.size())));
      piece.id = chunk_id_of(bytes);
      piece.hashed = true;
      own[index] = !piece.id.is_zero();
      if (own[index]) TRY(copy->write(chunk_offset(index), bytes));
    }
    manifest->chunks.push_back(piece.source == Source::kHole ? ChunkId() : piece.id);
  }
  return cache_.seal(copy, std::move(manifest), own);
}

Status Draft::published(std::shared_ptr<Version> version, uint64_t generation, uint64_t fencings) {
  base_ = std::move(version);
  base_generation_ = generation;
  fencings_ = fencings;
  changed_ = false;
  forget_carried();
  // Small content names none of these chunks: what follows it brings them anew.
  replaces_ = !base_->has_image();
  for (Piece& piece : pieces_) piece.changed = piece.brought = replaces_;
  pieces_noted_ = false;
  if (base_->has_image() || pieces_.empty()) return {};
  // What is stored through a mapping from now on is found by the id of what was published.
  ASSIGN_OR_RETURN(auto bytes, base_->whole());
  pieces_[0].id = chunk_id_of(*bytes);
  return {};
}

Status Draft::give_back() {
  CHECK(!changed_ && !mapped_ && size_ > limits::kSmallContentBytes);
  auto manifest = std::make_shared<Manifest>();
  manifest->size = size_;
  for (const Piece& piece : pieces_) manifest->chunks.push_back(piece.source == Source::kHole ? ChunkId() : piece.id);
  // The image that was sealed as a copy is replaced by the whole file if nobody holds it. A live draft needs no base.
  base_.reset();
  return cache_.give_back(staging_, std::move(manifest), inode_);
}

}  // namespace weir::vfs
