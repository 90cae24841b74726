#pragma once

#include <algorithm>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "base/check.h"
#include "base/random.h"
#include "cache/cache.h"
#include "model/chunk.h"
#include "model/manifest.h"

/// Contents for the tests of this folder.
namespace weir::cache::testing {

/// A content, its bytes and its manifest.
struct TestContent {
  Bytes bytes;
  std::shared_ptr<const Manifest> manifest;

  const ManifestId& id() const { return id_; }
  std::string_view chunk(uint64_t index) const {
    return std::string_view(bytes).substr(chunk_offset(index), chunk_length(bytes.size(), index));
  }

  explicit TestContent(Bytes some_bytes) : bytes(std::move(some_bytes)) {
    auto made = std::make_shared<Manifest>();
    made->size = bytes.size();
    for (uint64_t i = 0; i < chunk_count(bytes.size()); ++i) made->chunks.push_back(chunk_id_of(chunk(i)));
    id_ = made->id();
    manifest = std::move(made);
  }

 private:
  ManifestId id_;
};

/// Bytes that differ for different seeds, and in every page.
inline Bytes pattern(uint64_t seed, size_t size) {
  Bytes bytes(size, '\0');
  SeededRandom random(seed);
  for (size_t offset = 0; offset < size; offset += 64) {
    uint64_t value = random.next_u64() | 1;
    std::memcpy(bytes.data() + offset, &value, std::min(sizeof value, size - offset));
  }
  return bytes;
}

inline TestContent content(uint64_t seed, size_t size) { return TestContent(pattern(seed, size)); }

inline std::vector<bool> every_chunk(const TestContent& content) {
  return std::vector<bool>(content.manifest->chunks.size(), true);
}

/// A staging file that holds these bytes. Aborts when it cannot be made.
inline std::unique_ptr<Staging> staged(Cache& cache, std::string_view bytes) {
  std::unique_ptr<Staging> staging = cache.new_staging().value();
  CHECK(staging->write(0, bytes));
  return staging;
}

/// Written and sealed whole.
inline std::shared_ptr<Image> sealed(Cache& cache, const TestContent& content) {
  std::unique_ptr<Staging> staging = staged(cache, content.bytes);
  return cache.seal(staging, content.manifest, every_chunk(content)).value();
}

/// Every chunk fetched from elsewhere; the image is complete and stored.
inline std::shared_ptr<Image> filled(Cache& cache, const TestContent& content) {
  std::shared_ptr<Image> image = cache.open_image(content.id(), content.manifest).value();
  for (uint64_t i = 0; i < content.manifest->chunks.size(); ++i)
    if (!image->has(i)) CHECK(image->fill(i, content.chunk(i)));
  return image;
}

inline Bytes bytes_of(const Image& image) {
  Bytes bytes(image.manifest().size, '\0');
  CHECK(image.read(0, bytes));
  return bytes;
}

/// Marks everything stored that is not.
inline void store_all(Cache& cache) {
  for (const Unstored& record : cache.unstored(0, SIZE_MAX)) CHECK(cache.mark_stored(record));
}

}  // namespace weir::cache::testing
