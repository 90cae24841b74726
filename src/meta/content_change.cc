#include "meta/content_change.h"

#include <algorithm>

#include "model/chunk.h"

namespace weir::meta {

namespace {

bool changes_index(const Publish& change, uint64_t index) {
  auto found = std::lower_bound(change.changes.begin(), change.changes.end(), index,
                                [](const ChangedChunk& chunk, uint64_t wanted) { return chunk.index < wanted; });
  return found != change.changes.end() && found->index == index;
}

/// Whether chunk `index` has the length in a content of `size` bytes that it has where it comes from.
bool chunk_fits(const Inode& base, const std::vector<ChunkId>& base_chunks, const Publish& change, uint64_t size,
                uint64_t index) {
  if (index >= chunk_count(size)) return true;
  if (changes_index(change, index)) {
    auto found = std::lower_bound(change.changes.begin(), change.changes.end(), index,
                                  [](const ChangedChunk& chunk, uint64_t wanted) { return chunk.index < wanted; });
    return found->id.is_zero() || chunk_length(change.size, index) == chunk_length(size, index);
  }
  if (change.replaces || index >= base_chunks.size() || base_chunks[index].is_zero()) return true;
  return chunk_length(base.size, index) == chunk_length(size, index);
}

bool size_fits(const Inode& base, const std::vector<ChunkId>& base_chunks, const Publish& change, uint64_t size) {
  // Only a last chunk can be short.
  for (uint64_t content : {base.size, change.size, size})
    if (content > 0 && !chunk_fits(base, base_chunks, change, size, chunk_count(content) - 1)) return false;
  // Nothing that was written may be cut off.
  return change.changes.empty() || size == change.size || chunk_count(size) > change.changes.back().index;
}

/// The size of a merge: as if the changed chunks had been written into what is there.
Result<uint64_t> merged_size(const Inode& base, const std::vector<ChunkId>& base_chunks, const Publish& change) {
  uint64_t written_end = change.size;
  if (!change.changes.empty() && change.changes.back().index + 1 < chunk_count(change.size))
    written_end = chunk_offset(change.changes.back().index + 1);
  std::vector<uint64_t> candidates = {change.size};
  if (!change.changes.empty()) candidates = {std::max(base.size, written_end), change.size, written_end};
  for (uint64_t candidate : candidates)
    if (size_fits(base, base_chunks, change, candidate)) return candidate;
  return error(Code::kStale, "inode {} was changed by others in a way that does not go together with this change",
               base.id.value);
}

bool has_inline_bytes(const Inode& base) {
  return base.content.form == Content::Form::kInline && !all_zero(base.content.inline_bytes);
}

Content::Form form_of(uint64_t size) {
  if (size == 0) return Content::Form::kInline;
  return chunk_count(size) <= limits::kInlineChunkIds ? Content::Form::kChunks : Content::Form::kPages;
}

}  // namespace

Status check_publish(const Publish& change) {
  if (change.size > limits::kFileBytes)
    return error(Code::kTooLarge, "a file of {} bytes is larger than {}", change.size, limits::kFileBytes);
  if (change.inline_bytes) {
    if (change.inline_bytes->size() > limits::kInlineContentBytes || change.inline_bytes->size() > change.size ||
        !change.changes.empty())
      return error(Code::kInvalid, "{} inline bytes do not fit a content of {} bytes and {} changed chunks",
                   change.inline_bytes->size(), change.size, change.changes.size());
    return {};
  }
  uint64_t next = 0;
  for (const ChangedChunk& chunk : change.changes) {
    if (chunk.index < next || chunk.index >= chunk_count(change.size))
      return error(Code::kInvalid, "changed chunk {} is out of order or beyond {} bytes", chunk.index, change.size);
    next = chunk.index + 1;
  }
  return {};
}

Result<WholeContent> apply_change(const Inode& base, const std::vector<ChunkId>& base_chunks, const Publish& change) {
  WholeContent content;
  content.size = change.size;
  if (change.inline_bytes) {
    content.inline_bytes = *change.inline_bytes;
    return content;
  }
  if (!change.replaces) {
    const bool same_base = base.generation == change.base_generation;
    bool fits = !has_inline_bytes(base) || change.size == 0 || changes_index(change, 0);
    if (same_base) {
      fits = fits && size_fits(base, base_chunks, change, change.size);
    } else if (fits) {
      ASSIGN_OR_RETURN(content.size, merged_size(base, base_chunks, change));
    }
    if (!fits)
      return error(same_base ? Code::kInvalid : Code::kStale,
                   "a change of inode {} to {} bytes leaves chunks that would have another length", base.id.value,
                   change.size);
  }
  content.form = form_of(content.size);
  if (!change.replaces) content.chunks = base_chunks;
  content.chunks.resize(chunk_count(content.size));
  for (const ChangedChunk& chunk : change.changes)
    if (chunk.index < content.chunks.size()) content.chunks[chunk.index] = chunk.id;
  return content;
}

std::vector<ChunkId> distinct_chunks(const std::vector<ChunkId>& chunks) {
  std::vector<ChunkId> distinct;
  for (const ChunkId& chunk : chunks)
    if (!chunk.is_zero()) distinct.push_back(chunk);
  std::sort(distinct.begin(), distinct.end());
  distinct.erase(std::unique(distinct.begin(), distinct.end()), distinct.end());
  return distinct;
}

}  // namespace weir::meta
