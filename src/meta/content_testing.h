#pragma once

#include "base/limits.h"
#include "meta/keys.h"
#include "meta/rows.h"
#include "meta/volume_testing.h"

/// What the tests of content share.
namespace weir::meta {

inline constexpr uint64_t kChunk = limits::kChunkBytes;

/// The id of some content that is called so.
inline ChunkId chunk_named(std::string_view name) { return ChunkId(sha256(name)); }

/// A change of one whole file to these chunks, all brought; names, "" is a hole.
inline Publish whole_content_of(InodeId inode, const std::vector<std::string>& chunks, uint64_t size) {
  Publish change{.inode = inode, .replaces = true, .size = size};
  for (size_t index = 0; index < chunks.size(); ++index)
    if (!chunks[index].empty()) change.changes.push_back({index, chunk_named(chunks[index]), true});
  return change;
}
inline Publish whole_content_of(InodeId inode, const std::vector<std::string>& chunks) {
  return whole_content_of(inode, chunks, chunks.size() * kChunk);
}

class ContentTest : public VolumeTest {
 protected:
  Published publish_chunks(InodeId id, const std::vector<std::string>& chunks) {
    return value_of(publish(volume(), {}, whole_content_of(id, chunks)));
  }
  /// One chunk of the content that is there now is another one.
  Published change_chunk(InodeId id, uint64_t index, std::string_view name) {
    Inode now = inode(id);
    Publish change{.inode = id, .base_generation = now.generation, .size = now.size};
    change.changes.push_back({index, chunk_named(name), true});
    return value_of(publish(volume(), {}, change));
  }
  void publish_bytes(InodeId id, const Bytes& bytes) {
    value_of(publish(volume(), {}, {.inode = id, .size = bytes.size(), .inline_bytes = bytes}));
  }
  void store(const Published& published) { succeed(mark_stored(volume(), published.to_upload)); }

  std::optional<ChunkRecord> record(std::string_view name) {
    return value_of(chunk_records(volume(), {chunk_named(name)}))[0];
  }
  /// "staged", "stored", "condemned" or "absent".
  std::string state(std::string_view name) {
    auto found = record(name);
    if (!found) return "absent";
    switch (found->state) {
      case ChunkState::kStaged: return "staged";
      case ChunkState::kStored: return "stored";
      case ChunkState::kCondemned: return "condemned";
    }
    return "?";
  }
  size_t rows_in(const kv::KeyRange& range) { return value_of(test_.engine().begin()->scan(range, 1000)).size(); }
  size_t references(std::string_view name) { return rows_in(keys::references_of(chunk_named(name))); }
  size_t duties(std::string_view name) { return rows_in(keys::duties_of(chunk_named(name))); }

  /// Objects that one run of the collector deleted.
  std::vector<std::string> collect_now(bool ignore_grace = true) {
    std::vector<std::string> removed;
    report_ = value_of(collect(
        volume(), ignore_grace,
        [&](std::span<const std::string> objects) -> Status {
          removed.insert(removed.end(), objects.begin(), objects.end());
          return {};
        },
        nullptr));
    return removed;
  }

  CollectReport report_;
};

}  // namespace weir::meta
