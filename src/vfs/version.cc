#include "vfs/version.h"

#include <cstring>

#include "base/check.h"
#include "base/limits.h"
#include "meta/content.h"
#include "model/chunk.h"

namespace weir::vfs {

Result<std::shared_ptr<Version>> Version::load(Sources sources, const Inode& inode) {
  std::shared_ptr<Version> version(new Version(sources, inode.size));
  if (inode.content.form == weir::Content::Form::kInline) {
    auto bytes = std::make_shared<Bytes>(inode.content.inline_bytes);
    bytes->resize(inode.size, '\0');
    MutexLock lock(version->mutex_);
    version->bytes_ = std::move(bytes);
    return version;
  }
  ASSIGN_OR_RETURN(auto chunks, meta::load_chunks(sources.volume, inode));
  version->manifest_ = std::make_shared<Manifest>(Manifest{inode.size, std::move(chunks)});
  return version;
}

std::shared_ptr<Version> Version::of_bytes(Sources sources, Bytes bytes, ChunkId chunk) {
  std::shared_ptr<Version> version(new Version(sources, bytes.size()));
  if (bytes.size() > limits::kInlineContentBytes)
    version->manifest_ = std::make_shared<Manifest>(Manifest{bytes.size(), {chunk}});
  MutexLock lock(version->mutex_);
  version->bytes_ = std::make_shared<const Bytes>(std::move(bytes));
  return version;
}

std::shared_ptr<Version> Version::of_image(Sources sources, std::shared_ptr<cache::Image> image) {
  std::shared_ptr<Version> version(new Version(sources, image->manifest().size));
  version->manifest_ = std::shared_ptr<const Manifest>(image, &image->manifest());
  MutexLock lock(version->mutex_);
  version->image_ = std::move(image);
  return version;
}

bool Version::has_image() const { return size_ > limits::kSmallContentBytes; }

Result<std::shared_ptr<cache::Image>> Version::image() {
  CHECK(has_image());
  MutexLock lock(mutex_);
  if (image_ && image_->taken()) image_.reset();
  if (!image_) {
    ASSIGN_OR_RETURN(image_, sources_.cache.open_image(manifest_->id(), manifest_));
  }
  return image_;
}

bool Version::is_local(uint64_t offset, uint64_t count) {
  if (offset >= size_ || count == 0) return true;
  if (!has_image()) {
    MutexLock lock(mutex_);
    return bytes_ != nullptr;
  }
  auto opened = image();
  if (!opened) return false;
  if ((*opened)->complete()) return true;
  uint64_t last = chunk_index(std::min(offset + count, size_) - 1);
  for (uint64_t index = chunk_index(offset); index <= last; ++index)
    if (!(*opened)->has(index)) return false;
  return true;
}

Status Version::read(uint64_t offset, std::span<char> buffer, const Waiting& waiting) {
  if (buffer.empty()) return {};
  CHECK(offset + buffer.size() <= size_);
  while (has_image()) {
    auto opened = image();
    // The disk has not even room for an empty image.
    if (!opened && opened.error().code == Code::kNoSpace) return read_uncached(offset, buffer, waiting);
    if (!opened) return Failure(opened.error());
    Status read = read_image(**opened, offset, buffer, waiting);
    if (read || read.error().code != Code::kStale) return read;
  }
  ASSIGN_OR_RETURN(auto bytes, whole(waiting));
  std::memcpy(buffer.data(), bytes->data() + offset, buffer.size());
  return {};
}

Status Version::read_image(cache::Image& image, uint64_t offset, std::span<char> buffer, const Waiting& waiting) {
  if (image.complete()) return image.read(offset, buffer);
  size_t done = 0;
  while (done < buffer.size()) {
    uint64_t index = chunk_index(offset + done);
    uint64_t within = offset + done - chunk_offset(index);
    std::span<char> piece = buffer.subspan(done, std::min(buffer.size() - done, limits::kChunkBytes - within));
    if (image.has(index)) {
      TRY(image.read(offset + done, piece));
    } else {
      {
        MutexLock lock(mutex_);
        sources_.filler.start(image_, index + 1);
      }
      ASSIGN_OR_RETURN(auto bytes, sources_.fetcher.chunk_of_image(image, index, waiting));
      std::memcpy(piece.data(), bytes->data() + within, piece.size());
    }
    done += piece.size();
  }
  return {};
}

Status Version::read_uncached(uint64_t offset, std::span<char> buffer, const Waiting& waiting) {
  for (size_t done = 0; done < buffer.size();) {
    const uint64_t index = chunk_index(offset + done);
    const uint64_t within = offset + done - chunk_offset(index);
    const size_t count = std::min<uint64_t>(buffer.size() - done, limits::kChunkBytes - within);
    const ChunkId& id = manifest_->chunks[index];
    if (id.is_zero()) {
      std::memset(buffer.data() + done, 0, count);
    } else {
      ASSIGN_OR_RETURN(auto bytes, sources_.fetcher.chunk(id, chunk_length(size_, index), waiting));
      std::memcpy(buffer.data() + done, bytes->data() + within, count);
    }
    done += count;
  }
  return {};
}

Result<std::shared_ptr<const Bytes>> Version::whole(const Waiting& waiting) {
  CHECK(!has_image());
  {
    MutexLock lock(mutex_);
    if (bytes_) return bytes_;
  }
  std::shared_ptr<const Bytes> bytes;
  if (size_ == 0 || manifest_->chunks[0].is_zero()) {
    bytes = std::make_shared<const Bytes>(size_, '\0');
  } else {
    ASSIGN_OR_RETURN(bytes, sources_.fetcher.small(manifest_->chunks[0], size_, waiting));
  }
  MutexLock lock(mutex_);
  bytes_ = bytes;
  return bytes;
}

}  // namespace weir::vfs
