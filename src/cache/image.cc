#include "cache/image.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/fault_point.h"
#include "base/io.h"
#include "base/limits.h"
#include "cache/state.h"

namespace weir::cache {

Image::Image(Cache& cache, ManifestId id, std::shared_ptr<const Manifest> manifest, FileDescriptor fd)
    : cache_(cache), id_(id), manifest_(std::move(manifest)), fd_(std::move(fd)) {}

Image::~Image() = default;

void Image::set_present(const std::vector<bool>& present, std::vector<bool> unverified) {
  MutexLock lock(mutex_);
  const size_t chunks = manifest_->chunks.size();
  present_.assign(chunks, false);
  uint64_t missing = 0;
  for (size_t i = 0; i < chunks; ++i) {
    present_[i] = manifest_->chunks[i].is_zero() || (i < present.size() && present[i]);
    if (!present_[i]) ++missing;
  }
  unverified_ = std::move(unverified);
  missing_.store(missing, std::memory_order_release);
}

bool Image::has(uint64_t index) const {
  if (complete()) return true;
  MutexLock lock(mutex_);
  return index < present_.size() && present_[index];
}

std::vector<bool> Image::present() const {
  MutexLock lock(mutex_);
  return present_;
}

bool Image::is_empty() const {
  MutexLock lock(mutex_);
  auto any = [](const std::vector<bool>& bits) { return std::find(bits.begin(), bits.end(), true) != bits.end(); };
  if (any(unverified_)) return false;
  for (size_t i = 0; i < present_.size(); ++i)
    if (present_[i] && !manifest_->chunks[i].is_zero()) return false;
  return true;
}

bool Image::mark_present(uint64_t index) {
  MutexLock lock(mutex_);
  if (complete() || present_[index]) return false;
  present_[index] = true;
  unsaved_.push_back(static_cast<uint32_t>(index));
  missing_.fetch_sub(1, std::memory_order_acq_rel);
  return true;
}

Status Image::read(uint64_t offset, std::span<char> buffer) const {
  CHECK(offset <= manifest_->size && buffer.size() <= manifest_->size - offset);
  ASSIGN_OR_RETURN(size_t got, io::read_at(fd_.get(), buffer.data(), buffer.size(), offset));
  // It is taken before it is written, so what was read up to now is the content.
  if (taken()) return error(Code::kStale, "image {} became a staging file", id_.hex());
  if (got == buffer.size()) return {};
  return error(Code::kCorrupt, "image {} ends at {}, its content at {}", id_.hex(), offset + got, manifest_->size);
}

bool Image::lend(InodeId inode) {
  uint64_t holder = 0;
  if (!lent_to_.compare_exchange_strong(holder, inode.value) && holder != inode.value) return false;
  const std::optional<ImageEntry> entry = cache_.state_->images.find(id_);
  const bool others = entry && entry->shown_to != InodeId() && entry->shown_to != inode;
  if (!entry || (others && !io::is_only_user(fd()))) {
    give_back(inode);
    return false;
  }
  return cache_.state_->images.update(id_, [&](ImageEntry& changed) { changed.shown_to = inode; });
}

bool Image::may_lend(InodeId inode) const {
  const uint64_t holder = lent_to_;
  return holder == 0 || holder == inode.value;
}

bool Image::is_shown_to(InodeId inode) const {
  const std::optional<ImageEntry> entry = cache_.state_->images.find(id_);
  return entry && entry->shown_to == inode && !io::is_only_user(fd());
}

void Image::give_back(InodeId inode) {
  uint64_t expected = inode.value;
  lent_to_.compare_exchange_strong(expected, 0);
}

Result<bool> Image::read_unverified(uint64_t index, std::span<char> buffer) const {
  {
    MutexLock lock(mutex_);
    if (complete() || index >= unverified_.size() || !unverified_[index]) return false;
  }
  TRY(read(chunk_offset(index), buffer));
  return true;
}

Status Image::fill(uint64_t index, std::string_view bytes) {
  CHECK(index < manifest_->chunks.size() && bytes.size() == chunk_length(manifest_->size, index));
  if (has(index)) return {};
  if (lost_) return error(Code::kIo, "image {} was given up, because the disk failed", id_.hex());
  Cache::State& state = *cache_.state_;
  FAULT_POINT("fill.chunk.before");
  {
    // The kernel admits one writer of a file at a time, and lets the others burn CPU meanwhile.
    MutexLock turn(writing_);
    TRY(state.write_admitted(fd_.get(), bytes, chunk_offset(index)));
  }
  FAULT_POINT("fill.chunk.after");
  bool completed = false;
  bool save = false;
  {
    MutexLock lock(mutex_);
    if (complete() || present_[index]) return {};
    present_[index] = true;
    unsaved_.push_back(static_cast<uint32_t>(index));
    save = unsaved_.size() >= limits::kCacheSaveChunks;
    completed = missing_.fetch_sub(1, std::memory_order_acq_rel) == 1;
  }
  state.images.update(id_, [&](ImageEntry& entry) {
    entry.disk_bytes += bytes.size();
    ++entry.present_chunks;
  });
  state.check_limit();
  if (completed) return state.finish(*this);
  if (save) return state.save_image(*this);
  return {};
}

}  // namespace weir::cache
