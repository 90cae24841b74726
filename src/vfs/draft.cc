#include "vfs/draft.h"

#include <fcntl.h>

#include <algorithm>
#include <atomic>
#include <cstring>

#include "base/check.h"
#include "base/limits.h"
#include "model/chunk.h"

namespace weir::vfs {

Result<std::unique_ptr<Draft>> Draft::over(Place place, std::shared_ptr<Version> base, uint64_t base_generation) {
  std::unique_ptr<Draft> draft(new Draft(place, base, base_generation));
  draft->size_ = base->size();
  if (!base->has_image()) {
    ASSIGN_OR_RETURN(auto bytes, base->whole());
    draft->memory_.assign(*bytes);
    return draft;
  }
  for (const ChunkId& id : base->manifest()->chunks) {
    Piece piece;
    piece.id = id;
    piece.source = id.is_zero() ? Source::kHole : Source::kElsewhere;
    piece.hashed = true;
    draft->pieces_.push_back(piece);
  }
  return draft;
}

uint64_t Draft::stored_length(uint64_t index) const { return chunk_length(size_, index); }

void Draft::set_mtime_ns(int64_t mtime_ns) { mtime_ns_ = mtime_ns; }

// ---- Where bytes are.

bool Draft::is_at_hand(uint64_t index, const Given& given) const {
  const Piece& piece = pieces_[index];
  if (piece.source != Source::kElsewhere) return true;
  if (auto found = given.find(index); found != given.end() && found->second.id == piece.id) return true;
  if (!base_->has_image() || index >= base_->manifest()->chunks.size()) return false;
  if (base_->manifest()->chunks[index] != piece.id) return false;
  auto image = base_->image();
  return image && (*image)->has(index);
}

std::optional<uint64_t> Draft::needed_to_read(uint64_t offset, uint64_t count, const Given& given) const {
  if (in_memory() || offset >= size_ || count == 0) return std::nullopt;
  uint64_t last = chunk_index(std::min(offset + count, size_) - 1);
  for (uint64_t index = chunk_index(offset); index <= last; ++index)
    if (!is_at_hand(index, given)) return index;
  return std::nullopt;
}

std::optional<uint64_t> Draft::needed_to_write(uint64_t offset, uint64_t count, const Given& given) const {
  if (in_memory() || count == 0) return std::nullopt;
  uint64_t end = offset + count;
  if (auto needed = needed_to_read(offset, count, given)) return needed;
  if (end > size_) return needed_to_truncate(end, given);
  return std::nullopt;
}

std::optional<uint64_t> Draft::needed_to_zero(uint64_t offset, uint64_t length, bool keep_size,
                                              const Given& given) const {
  uint64_t end = offset + length;
  if (end > size_ && !keep_size)
    if (auto needed = needed_to_truncate(end, given)) return needed;
  end = std::min(end, size_);
  if (in_memory() || offset >= end) return std::nullopt;
  // Of a chunk that is zeroed as a whole nobody needs the bytes.
  for (uint64_t at : {offset, end - 1}) {
    uint64_t start = chunk_offset(chunk_index(at));
    bool whole = offset <= start && end >= start + stored_length(chunk_index(at));
    if (whole) continue;
    if (auto needed = needed_to_read(at, 1, given)) return needed;
  }
  return std::nullopt;
}

std::optional<uint64_t> Draft::needed_to_truncate(uint64_t size, const Given& given) const {
  if (in_memory() || size_ == 0 || size == 0) return std::nullopt;
  if (size <= limits::kSmallContentBytes && size < size_) return needed_to_read(0, size, given);
  // The chunk at the shorter end changes its length, unless that end is on a boundary.
  uint64_t end = std::min(size, size_);
  if (size == size_ || end % limits::kChunkBytes == 0) return std::nullopt;
  return needed_to_read(end - 1, 1, given);
}

Draft::Source Draft::source_seen(const Piece& piece) const {
  return piece.source == Source::kHole && mapped_ ? Source::kOwn : piece.source;
}

Status Draft::read_elsewhere(uint64_t index, uint64_t within, std::span<char> buffer, const Given& given) const {
  if (auto found = given.find(index); found != given.end() && found->second.id == pieces_[index].id) {
    CHECK(within + buffer.size() <= found->second.bytes->size());
    std::memcpy(buffer.data(), found->second.bytes->data() + within, buffer.size());
    return {};
  }
  ASSIGN_OR_RETURN(auto image, base_->image());
  return image->read(chunk_offset(index) + within, buffer);
}

Status Draft::read(uint64_t offset, std::span<char> buffer, const Given& given) const {
  if (buffer.empty()) return {};
  CHECK(offset + buffer.size() <= size_);
  if (in_memory()) {
    std::memcpy(buffer.data(), memory_.data() + offset, buffer.size());
    return {};
  }
  for (size_t done = 0; done < buffer.size();) {
    uint64_t index = chunk_index(offset + done);
    uint64_t within = offset + done - chunk_offset(index);
    std::span<char> piece = buffer.subspan(done, std::min(buffer.size() - done, limits::kChunkBytes - within));
    switch (source_seen(pieces_[index])) {
      case Source::kHole: std::memset(piece.data(), 0, piece.size()); break;
      case Source::kOwn: TRY(staging_->read(offset + done, piece)); break;
      case Source::kElsewhere: TRY(read_elsewhere(index, within, piece, given)); break;
    }
    done += piece.size();
  }
  return {};
}

// ---- Changing.

namespace {
std::atomic<uint64_t> last_serial{0};
}  // namespace

uint64_t Draft::next_serial() { return last_serial + 1; }

void Draft::touch(uint64_t index) {
  Piece& piece = pieces_[index];
  if (!piece.changed || !piece.brought) pieces_noted_ = false;
  piece.serial = ++last_serial;
  piece.hashed = false;
  piece.hashing = false;
  piece.changed = true;
  piece.brought = true;
  changed_ = true;
}

Status Draft::open_staging() {
  if (staging_) return {};
  ASSIGN_OR_RETURN(staging_, cache_.new_staging());
  return staging_->truncate(size_);
}

Status Draft::leave_memory() {
  ASSIGN_OR_RETURN(auto staging, cache_.new_staging());
  TRY(staging->write(0, memory_.view()));
  TRY(staging->truncate(size_));
  staging_ = std::move(staging);
  replaces_ = true;
  if (size_ > 0) {
    pieces_.emplace_back();
    pieces_[0].source = Source::kOwn;
    touch(0);
  }
  if (Status saved = save_handover(); !saved) {
    pieces_.clear();
    staging_.reset();
    return saved;
  }
  memory_.clear();
  return {};
}

Status Draft::enter_memory(uint64_t size, const Given& given) {
  Bytes bytes(size, '\0');
  TRY(read(0, std::span<char>(bytes.data(), std::min(size, size_)), given));
  memory_.assign(bytes);
  pieces_.clear();
  completed_ = kNone;
  size_ = size;
  replaces_ = true;
  changed_ = true;
  // Without room in the shared memory, a successor goes on with the staging file.
  const bool noted = memory_.note(small_record());
  if (staging_ && (recorded_for_.value != 0 || !noted)) leftovers_.staged.push_back(std::move(staging_));
  staging_.reset();
  recorded_for_ = InodeId();
  if (noted) forget_slot();
  return {};
}

Status Draft::own(uint64_t index, uint64_t keep, const Given& given) {
  Piece& piece = pieces_[index];
  TRY(open_staging());
  if (piece.source == Source::kElsewhere && keep > 0) {
    Bytes bytes(std::min(keep, stored_length(index)), '\0');
    TRY(read_elsewhere(index, 0, std::span<char>(bytes.data(), bytes.size()), given));
    TRY(staging_->write(chunk_offset(index), bytes));
  }
  piece.source = Source::kOwn;
  pieces_noted_ = false;
  touch(index);
  return {};
}

/// Without room for the records that a shorter content needs, the draft is as before.
Status Draft::resize_pieces(uint64_t size, const Given& given) {
  if (size >= size_) return fit_pieces(size, given);
  const std::vector<Piece> pieces = pieces_;
  const uint64_t last = size == 0 ? 0 : chunk_index(size - 1);
  const uint64_t size_before = size_;
  const bool changed_before = changed_;
  Status shortened = fit_pieces(size, given);
  if (shortened) shortened = renew_records();
  if (shortened) return {};
  pieces_ = pieces;
  size_ = size_before;
  changed_ = changed_before;
  TRY(put_back(last, pieces[last]));
  return shortened;
}

Status Draft::put_back(uint64_t index, const Piece& before) {
  pieces_[index] = before;
  pieces_noted_ = false;
  const bool elsewhere = before.source == Source::kElsewhere && staging_;
  return elsewhere ? staging_->punch(chunk_offset(index), limits::kChunkBytes) : Status();
}

Status Draft::fit_pieces(uint64_t size, const Given& given) {
  uint64_t end = std::min(size, size_);
  if (size != size_ && end % limits::kChunkBytes != 0) {
    uint64_t index = chunk_index(end - 1);
    if (pieces_[index].source != Source::kHole) {
      TRY(own(index, end - chunk_offset(index), given));
    } else {
      pieces_[index].changed = true;  // a hole of another length
    }
  }
  TRY(open_staging());
  uint64_t count = pieces_.size();
  pieces_.resize(chunk_count(size));
  for (uint64_t index = count; index < pieces_.size(); ++index) {
    pieces_[index].hashed = true;
    pieces_[index].changed = true;
  }
  size_ = size;
  changed_ = true;
  return {};
}

Status Draft::take_back_growth(uint64_t size) {
  if (size >= size_) return {};
  if (in_memory()) {
    memory_.resize(size);
    size_ = size;
    return {};
  }
  pieces_.resize(chunk_count(size));
  size_ = size;
  pieces_noted_ = false;
  // A chunk that was made longer lies here; one that ends where it did may be elsewhere, and is as it was.
  if (!pieces_.empty() && pieces_.back().source == Source::kOwn) touch(pieces_.size() - 1);
  return staging_->truncate(size);
}

Status Draft::resize(uint64_t size, const Given& given) {
  TRY(resize_pieces(size, given));
  return staging_->truncate(size);
}

Status Draft::truncate(uint64_t size, const Given& given) {
  if (size == size_) return {};
  if (in_memory() && size <= limits::kSmallContentBytes) {
    memory_.resize(size);
    size_ = size;
    changed_ = true;
    return {};
  }
  if (!in_memory() && !live_ && size <= limits::kSmallContentBytes) return enter_memory(size, given);
  if (in_memory()) TRY(leave_memory());
  return resize(size, given);
}

Status Draft::write(uint64_t offset, std::string_view bytes, const Given& given) {
  uint64_t end = offset + bytes.size();
  if (in_memory() && end <= limits::kSmallContentBytes) {
    if (end > size_) memory_.resize(end);
    std::memcpy(memory_.data() + offset, bytes.data(), bytes.size());
    size_ = memory_.size();
    changed_ = true;
    return {};
  }
  if (in_memory()) TRY(leave_memory());
  uint64_t old_size = size_;
  if (end > size_) TRY(resize_pieces(end, given));
  TRY(open_staging());
  for (size_t done = 0; done < bytes.size();) {
    uint64_t index = chunk_index(offset + done);
    uint64_t within = offset + done - chunk_offset(index);
    std::string_view part = bytes.substr(done, limits::kChunkBytes - within);
    bool whole = within == 0 && part.size() >= stored_length(index);
    const Piece before = pieces_[index];
    Status written = before.source == Source::kOwn ? Status() : own(index, whole ? 0 : limits::kChunkBytes, given);
    if (written) {
      touch(index);
      const bool last = offset + done + part.size() == size_ && !live_;
      written = last ? staging_->write_last(offset + done, part) : staging_->write(offset + done, part);
      // The old bytes, which were to be overwritten as a whole, are only where they were.
      if (!written && whole && before.source == Source::kElsewhere) TRY(put_back(index, before));
    }
    if (!written) {
      uint64_t reached = std::max(old_size, offset + done);
      TRY(take_back_growth(reached));
      return written;
    }
    // A small write in the middle of a chunk is likely not the last one there.
    if (within + part.size() == limits::kChunkBytes) completed_ = index;
    done += part.size();
  }
  return {};
}

Status Draft::zero(uint64_t offset, uint64_t length, bool keep_size, const Given& given) {
  uint64_t end = offset + length;
  if (end > size_ && !keep_size) TRY(truncate(end, given));
  end = std::min(end, size_);
  if (offset >= end) return {};
  if (in_memory()) {
    std::memset(memory_.data() + offset, 0, end - offset);
    changed_ = true;
    return {};
  }
  TRY(open_staging());
  for (uint64_t at = offset; at < end;) {
    uint64_t index = chunk_index(at);
    uint64_t stop = std::min(end, chunk_offset(index) + stored_length(index));
    bool whole = at == chunk_offset(index) && stop == chunk_offset(index) + stored_length(index);
    if (whole) {
      if (source_seen(pieces_[index]) == Source::kOwn) TRY(staging_->punch(at, stop - at));
      touch(index);
      pieces_noted_ = false;
      pieces_[index].source = Source::kHole;
      pieces_[index].id = ChunkId();
      pieces_[index].hashed = true;
    } else if (source_seen(pieces_[index]) != Source::kHole) {
      TRY(own(index, limits::kChunkBytes, given));
      TRY(staging_->punch(at, stop - at));
    }
    at = stop;
  }
  return {};
}

bool Draft::can_share(uint64_t offset, uint64_t length) const {
  if (live_) return false;  // its readers see the file only
  if (offset % limits::kChunkBytes != 0 || length == 0 || length > limits::kChunkBytes) return false;
  if (offset + length <= limits::kSmallContentBytes && offset + length >= size_) return false;
  return length == limits::kChunkBytes || offset + length >= size_;
}

Status Draft::share(uint64_t index, const ChunkId& id, uint64_t length, const Given& given) {
  CHECK(can_share(chunk_offset(index), length));
  if (in_memory()) TRY(leave_memory());
  uint64_t end = chunk_offset(index) + length;
  if (end > size_) TRY(resize(end, given));
  const Piece before = pieces_[index];
  touch(index);
  Piece& piece = pieces_[index];
  piece.id = id;
  piece.source = id.is_zero() ? Source::kHole : Source::kElsewhere;
  piece.hashed = true;
  piece.brought = false;
  pieces_noted_ = false;
  if (before.source != Source::kOwn) return {};
  Status given_up = renew_records();
  if (given_up) given_up = staging_->punch(chunk_offset(index), length);
  // What is in the staging file counts again: nobody may take it for zeros.
  if (!given_up) TRY(put_back(index, before));
  return given_up;
}

std::optional<uint64_t> Draft::first_shared() const {
  for (uint64_t index = 0; index < pieces_.size(); ++index) {
    const Piece& piece = pieces_[index];
    if (piece.source == Source::kElsewhere && piece.changed && !piece.brought) return index;
  }
  return std::nullopt;
}

std::optional<uint64_t> Draft::seek(uint64_t offset, bool data) const {
  if (in_memory()) {
    if (data) return offset < size_ ? std::optional(offset) : std::nullopt;
    return std::nullopt;
  }
  for (uint64_t index = chunk_index(offset); index < pieces_.size(); ++index)
    if ((source_seen(pieces_[index]) != Source::kHole) == data) return std::max(offset, chunk_offset(index));
  return std::nullopt;
}

uint64_t Draft::allocated_bytes() const {
  if (in_memory()) return size_;
  uint64_t bytes = 0;
  for (uint64_t index = 0; index < pieces_.size(); ++index)
    if (pieces_[index].source != Source::kHole) bytes += stored_length(index);
  return bytes;
}

// ---- Hashing.

namespace {

Draft::HashTask make_task(uint64_t index, uint64_t length, uint64_t serial, int fd) {
  return {index, length, serial, FileDescriptor(::fcntl(fd, F_DUPFD_CLOEXEC, 3))};
}

}  // namespace

std::optional<Draft::HashTask> Draft::take_completed() {
  uint64_t index = std::exchange(completed_, kNone);
  if (live_) return std::nullopt;
  if (index == kNone || index >= pieces_.size() || pieces_[index].source != Source::kOwn || pieces_[index].hashed)
    return std::nullopt;
  HashTask task = make_task(index, stored_length(index), pieces_[index].serial, staging_->fd());
  if (!task.fd.valid()) return std::nullopt;
  pieces_[index].hashing = true;
  return task;
}

std::vector<Draft::HashTask> Draft::take_unhashed(bool being_hashed_too) {
  std::vector<HashTask> tasks;
  for (uint64_t index = 0; index < pieces_.size(); ++index)
    if (!pieces_[index].hashed && (being_hashed_too || !pieces_[index].hashing))
      tasks.push_back(make_task(index, stored_length(index), pieces_[index].serial, staging_->fd()));
  return tasks;
}

void Draft::hashed(const HashTask& task, const std::optional<ChunkId>& id) {
  if (task.index >= pieces_.size()) return;
  Piece& piece = pieces_[task.index];
  if (piece.serial != task.serial) return;
  piece.hashing = false;
  if (!id || piece.source != Source::kOwn || stored_length(task.index) != task.length) return;
  piece.id = *id;
  piece.hashed = true;
}

bool Draft::take_early(uint64_t index, uint64_t least_bytes) {
  if (live_ || size_ < least_bytes || index >= pieces_.size()) return false;
  Piece& piece = pieces_[index];
  return piece.hashed && piece.brought && !piece.id.is_zero() && !std::exchange(piece.early, true);
}

bool Draft::is_hashing(uint64_t before_serial) const {
  return std::any_of(pieces_.begin(), pieces_.end(),
                     [&](const Piece& piece) { return piece.hashing && piece.serial < before_serial; });
}

bool Draft::has_unhashed() const {
  return std::any_of(pieces_.begin(), pieces_.end(), [](const Piece& piece) { return !piece.hashed; });
}

// ---- Publishing.

Status Draft::settle(const Given& given) {
  if (in_memory() || live_ || size_ > limits::kSmallContentBytes) return {};
  return enter_memory(size_, given);
}

Result<std::shared_ptr<cache::Image>> Draft::seal() {
  CHECK(!in_memory() && !has_unhashed());
  auto manifest = std::make_shared<Manifest>();
  manifest->size = size_;
  std::vector<bool> own(pieces_.size());
  for (uint64_t index = 0; index < pieces_.size(); ++index) {
    manifest->chunks.push_back(pieces_[index].source == Source::kHole ? ChunkId() : pieces_[index].id);
    own[index] = pieces_[index].source == Source::kOwn && !pieces_[index].id.is_zero();
  }
  std::shared_ptr<cache::Image> image;
  if (staging_) {
    TRY(renew_record());
    const bool recorded = staging_->has_record();
    const uint64_t staging_id = staging_->id();
    ASSIGN_OR_RETURN(image, cache_.seal(staging_, manifest, own, recorded));
    if (recorded) leftovers_.sealed.push_back(staging_id);
    staging_.reset();
    recorded_for_ = InodeId();
  } else {
    ASSIGN_OR_RETURN(image, cache_.open_image(manifest->id(), manifest));
  }
  for (Piece& piece : pieces_)
    if (piece.source == Source::kOwn) piece.source = piece.id.is_zero() ? Source::kHole : Source::kElsewhere;
  return image;
}

void Draft::rebase(std::shared_ptr<Version> sealed) { base_ = std::move(sealed); }

std::vector<meta::ChangedChunk> Draft::chunks(bool unchanged_too) const {
  std::vector<meta::ChangedChunk> changes;
  for (uint64_t index = 0; index < pieces_.size(); ++index) {
    const Piece& piece = pieces_[index];
    if (piece.changed || unchanged_too) changes.push_back({index, piece.id, piece.brought && !piece.id.is_zero()});
  }
  return changes;
}

}  // namespace weir::vfs
