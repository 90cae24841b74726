#pragma once

#include <optional>
#include <utility>
#include <vector>

#include "meta/attributes.h"
#include "meta/volume.h"
#include "model/manifest.h"

/// What a file's bytes are. Thread rule and errors as in names.h.
namespace weir::meta {

/// The chunk ids of an inode's content, chunk_count(size) of them; reads pages as needed. Requires: not inline. Stale
/// when the inode has other content by now and the grace of this one is over.
Result<std::vector<ChunkId>> load_chunks(Volume& volume, const Inode& inode);

struct ChangedChunk {
  uint64_t index = 0;
  ChunkId id;            // zero: a hole now
  bool brought = false;  // this node has the bytes and will upload them, if the store has not
};

/// New content of one inode, as one change.
struct Publish {
  InodeId inode;
  uint64_t base_generation = 0;  // of the content that `changes` are relative to
  bool replaces = false;         // nothing of the old content stays: chunks not in `changes` are holes
  uint64_t size = 0;
  std::optional<Bytes> inline_bytes;  // instead of chunks; implies `replaces`
  std::vector<ChangedChunk> changes;  // by index, ascending
  AttributeChange attributes;         // travel along: times, and what was set while the file was open
  uint64_t fencings = 0;              // Membership::fencings of when the change began
};

struct Published {
  Inode inode;
  std::vector<std::pair<ChunkId, uint64_t>> to_upload;  // brought chunks that are not stored, with their generations
};

/// Switches the inode to the new content in one transaction; more than limits::kInlineChunkIds chunks are prepared page
/// by page before. If the inode's generation is no longer `base_generation`, a change that does not replace is applied
/// to what is there now, chunk by chunk, as if it had been written there; Stale when that would mix parts of a chunk:
/// read the inode, and make the change again on what is there. One that replaces wins whole. The old content is queued
/// and stays readable for the grace. A chunk neither brought nor live is Unavailable (its bytes may be gone): bring it.
/// Works on orphans too. Fenced: it began before others found this node dead, and they changed the inode since.
/// NotFound when the inode is gone. Invalid: `changes` leave out a chunk whose length changes with the size, or a first
/// chunk over inline bytes.
Result<Published> publish(Volume& volume, RequestId request, const Publish& change);

/// A chunk whose object is to be made before a publish names it.
struct AnnouncedChunk {
  ChunkId id;
  uint32_t length_bytes = 0;
};
/// Makes chunks that the volume does not know known to it, in the order of `chunks` with their generations; nothing for
/// those that it knows. They begin as condemned ones: a publish that brings them takes them into use, and without one
/// until the grace is over the collector erases them with their objects. Batches are split as needed.
Result<std::vector<std::optional<uint64_t>>> announce_chunks(Volume& volume, const std::vector<AnnouncedChunk>& chunks);

/// Records of chunks; nothing for unknown ones. In the order of `ids`.
Result<std::vector<std::optional<ChunkRecord>>> chunk_records(Volume& volume, const std::vector<ChunkId>& ids);
/// These objects are in the store, durably. Chunks whose generation is another by now are left alone, and so are
/// unknown ones; their objects are queued for deletion. This node's `H` rows go. Batches are split as needed.
Status mark_stored(Volume& volume, const std::vector<std::pair<ChunkId, uint64_t>>& chunks);
/// True if an inode or a page other than superseded content of an inode still names the chunk.
Result<bool> chunk_is_wanted(Volume& volume, const ChunkId& id);
/// This node will not upload the chunk and may lose its bytes: nobody wants it. Busy when somebody does. From then on a
/// publish that names the chunk has to bring it, unless other nodes hold it.
Status drop_duty(Volume& volume, const ChunkId& id);

enum class ContentState { kLocal, kZone, kStored };
/// "local", "zone", "stored".
std::string_view state_name(ContentState state);
/// Derived from the chunks' records; inline content is as safe as the engine: kStored.
Result<ContentState> content_state(Volume& volume, const Inode& inode);

}  // namespace weir::meta
