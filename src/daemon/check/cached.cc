#include "daemon/check/cached.h"

#include <set>

#include "daemon/check/contents.h"
#include "meta/content.h"
#include "meta/names.h"
#include "meta/unstored.h"
#include "model/chunk.h"

namespace weir {

namespace {

class CacheCheck {
 public:
  CacheCheck(meta::Volume& volume, object::ObjectStore& store, cache::Cache& cache, const CheckRequest& request,
             const std::function<void(meta::Problem)>& report)
      : volume_(volume), store_(store), cache_(cache), request_(request), report_(report) {}

  Status run(NamedChunks& chunks) {
    TRY(cache_.check(request_.repair, [&](const cache::CacheProblem& problem) {
      report_({problem.kind, problem.what, problem.repairable, problem.repaired});
    }));
    for (const cache::Unstored& record : cache_.unstored(0, SIZE_MAX))
      journal_.insert(record.chunks.begin(), record.chunks.end());
    ASSIGN_OR_RETURN(std::vector<ChunkId> duties, meta::duties_of_this_node(volume_));
    duties_.insert(duties.begin(), duties.end());
    for (const NamedChunk& chunk : chunks.all()) {
      if (chunk.record.state == ChunkState::kStaged) TRY(check_upload(chunk));
      if (request_.deep && chunk.record.state == ChunkState::kStored) TRY(check_bytes(chunk));
    }
    return {};
  }

 private:
  /// The uploader works through the journal; a duty that is not there is never done.
  Status check_upload(const NamedChunk& chunk) {
    if (!duties_.contains(chunk.id) || journal_.contains(chunk.id)) return {};
    const bool there = chunk.object_bytes == chunk.record.length_bytes;
    std::optional<Bytes> bytes;
    if (!there) {
      ASSIGN_OR_RETURN(bytes, cached_bytes(cache_, chunk));
      if (!bytes) return {};  // lost, and reported as that
    }
    if (request_.repair) {
      if (bytes) TRY(store_.put(chunk_object_name(chunk.id, chunk.record.generation), *bytes));
      TRY(meta::mark_stored(volume_, {{chunk.id, chunk.record.generation}}));
      TRY(volume_.engine().barrier());
    }
    report_({"forgotten_upload",
             fmt::format("chunk {} is {}, and the cache's journal does not know that it must be stored", chunk.id.hex(),
                         there ? "in the store without being marked" : "only in this node's cache"),
             true, request_.repair});
    return {};
  }

  Status check_bytes(const NamedChunk& chunk) {
    Bytes bytes(chunk.record.length_bytes, '\0');
    auto here = cache_.read_chunk(chunk.id, std::span<char>(bytes.data(), bytes.size()));
    if (here && (!*here || chunk_id_of(bytes) == chunk.id)) return {};
    bool dropped = false;
    if (request_.repair) {
      ASSIGN_OR_RETURN(dropped, drop(chunk.id));
    }
    report_({"corrupt_cached_chunk",
             fmt::format("this node's copy of chunk {} {}", chunk.id.hex(),
                         here ? "is damaged" : "cannot be read: " + here.error().what),
             true, dropped});
    return {};
  }

  /// Gives up the images that have the chunk; the store has what they held. False: one is in use or not stored.
  Result<bool> drop(const ChunkId& id) {
    ASSIGN_OR_RETURN(std::set<InodeId> owners, meta::current_owners_of(volume_, id));
    for (InodeId owner : owners) {
      ASSIGN_OR_RETURN(Inode inode, meta::get_inode(volume_, owner));
      Status evicted = cache_.evict_image(inode.content.manifest);
      if (!evicted && evicted.error().code == Code::kBusy) return false;
      TRY(evicted);
    }
    Status evicted = cache_.evict_small(id);
    if (!evicted && evicted.error().code == Code::kBusy) return false;
    TRY(evicted);
    return true;
  }

  meta::Volume& volume_;
  object::ObjectStore& store_;
  cache::Cache& cache_;
  const CheckRequest& request_;
  const std::function<void(meta::Problem)>& report_;
  std::set<ChunkId> journal_;
  std::set<ChunkId> duties_;
};

}  // namespace

Status check_cache(meta::Volume& volume, object::ObjectStore& store, cache::Cache& cache, NamedChunks& chunks,
                   const CheckRequest& request, const std::function<void(meta::Problem)>& report) {
  return CacheCheck(volume, store, cache, request, report).run(chunks);
}

}  // namespace weir
