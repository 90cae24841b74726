#pragma once

#include <set>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "meta/check_context.h"
#include "model/inode.h"
#include "model/records.h"

namespace weir::meta {

/// The part of check() about contents: `M`, `C`, `R`, `H`, `B`, `Q` rows against the inodes. Memory: about 100 bytes a
/// chunk. Internal.
class ContentCheck {
 public:
  ContentCheck(CheckContext& context, const VisitChunk& visit_chunk) : context_(context), visit_chunk_(visit_chunk) {}

  /// First: what is queued and being built.
  Status read_queue();
  /// Then every file.
  Status check_file(const Inode& inode);
  /// Then the pages and, chunk by chunk, everything else.
  Status check_pages();
  Status check_chunks();

 private:
  struct Named {
    uint32_t length_bytes = 0;
    InodeId by;
    bool known = false;  // has its `C` row
  };
  struct PageUse {
    InodeId inode;
    bool read = false;
  };
  /// All rows of one chunk.
  struct ChunkRows {
    std::optional<ChunkRecord> record;
    std::vector<kv::KeyValue> references;
    std::vector<kv::KeyValue> duties;
    bool undecodable = false;
  };

  Status read_queue_row(const kv::KeyValue& row, const QueueRow& queued);
  Status check_chunk_list(const Inode& inode);
  Status check_page_list(const Inode& inode);
  Status check_manifest(const Inode& inode, const std::vector<ChunkId>& chunks);
  Status check_page(const kv::KeyValue& row, const PageRow& page);
  Status check_references(const std::vector<ChunkId>& chunks, keys::OwnerKind kind, uint64_t owner, InodeId inode,
                          uint64_t generation);
  void name(const Inode& inode, const std::vector<ChunkId>& chunks);

  Status check_chunk(const ChunkId& id, const ChunkRows& rows);
  Status check_reference_row(const ChunkId& id, const kv::KeyValue& row, bool& is_stray);
  Status check_record(const ChunkId& id, const ChunkRows& rows, size_t valid_references);
  Result<bool> reference_is_justified(const keys::ReferenceKey& reference, const ReferenceRow& row);
  /// Mends a chunk that nothing names by letting the collector decide about it.
  Status queue_condemned(kv::Transaction& transaction, const ChunkId& id);

  CheckContext& context_;
  const VisitChunk& visit_chunk_;
  std::unordered_map<ChunkId, Named> named_;                         // by contents that are not superseded
  std::unordered_map<uint64_t, PageUse> used_pages_;                 // by such contents
  std::unordered_map<uint64_t, std::vector<uint64_t>> page_chunks_;  // hashes of the chunks of every page, sorted
  std::unordered_set<uint64_t> building_pages_;
  std::unordered_map<uint64_t, Bytes> queued_pages_;                    // with the queue row's key
  std::map<std::pair<uint64_t, ChunkId>, uint64_t> queued_references_;  // inode, chunk -> last generation
  std::map<std::pair<ChunkId, uint64_t>, Bytes> condemned_;             // chunk, generation -> queue row's key
  std::map<std::pair<ChunkId, uint64_t>, Bytes> objects_;               // to be deleted
};

}  // namespace weir::meta
