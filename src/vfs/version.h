#pragma once

#include <memory>
#include <span>

#include "base/mutex.h"
#include "cache/cache.h"
#include "model/inode.h"
#include "model/manifest.h"
#include "vfs/fetcher.h"
#include "vfs/filler.h"

namespace weir::vfs {

/// What a version needs to bring its bytes.
struct Sources {
  meta::Volume& volume;
  cache::Cache& cache;
  Fetcher& fetcher;
  Filler& filler;
};

/// One published content of a file: immutable, readable while somebody holds it. Thread-safe.
class Version {
 public:
  /// The content that `inode` names. Reads its pages, if it has any; brings no bytes yet.
  static Result<std::shared_ptr<Version>> load(Sources sources, const Inode& inode);
  /// Of bytes that are at hand: inline and small content.
  static std::shared_ptr<Version> of_bytes(Sources sources, Bytes bytes, ChunkId chunk);
  static std::shared_ptr<Version> of_image(Sources sources, std::shared_ptr<cache::Image> image);

  uint64_t size() const { return size_; }
  /// Null for inline content.
  const std::shared_ptr<const Manifest>& manifest() const { return manifest_; }
  /// Zero for inline content.
  ManifestId manifest_id() const { return manifest_ ? manifest_->id() : ManifestId(); }
  /// Neither inline nor small: an image of the cache.
  bool has_image() const;
  /// Opens the image if it is not open yet. Requires: has_image().
  Result<std::shared_ptr<cache::Image>> image();

  /// True if read() of this range needs nothing but the local disk.
  bool is_local(uint64_t offset, uint64_t count);
  /// Requires: the range ends within the size. Starts a fill of the whole image when something of it is missing.
  Status read(uint64_t offset, std::span<char> buffer, const Waiting& waiting = {});
  /// All bytes of inline or small content. Requires: !has_image().
  Result<std::shared_ptr<const Bytes>> whole(const Waiting& waiting = {});

 private:
  Version(Sources sources, uint64_t size) : sources_(sources), size_(size) {}
  Status read_image(cache::Image& image, uint64_t offset, std::span<char> buffer, const Waiting& waiting);
  Status read_uncached(uint64_t offset, std::span<char> buffer, const Waiting& waiting);

  const Sources sources_;
  const uint64_t size_;
  std::shared_ptr<const Manifest> manifest_;
  Mutex mutex_;
  std::shared_ptr<const Bytes> bytes_ GUARDED_BY(mutex_);
  std::shared_ptr<cache::Image> image_ GUARDED_BY(mutex_);
};

}  // namespace weir::vfs
