#include "vfs/power_loss.h"

#include <set>

#include "base/limits.h"
#include "base/log.h"
#include "meta/content.h"
#include "meta/unstored.h"
#include "model/chunk.h"

namespace weir::vfs {

namespace {

struct Fate {
  std::vector<std::pair<ChunkId, uint64_t>> stored;
  std::vector<ChunkId> lost;
  bool unknown = false;  // of some
};

std::set<ChunkId> chunks_in_journal(cache::Cache& cache) {
  std::set<ChunkId> chunks;
  for (const cache::Unstored& record : cache.unstored(0, SIZE_MAX))
    chunks.insert(record.chunks.begin(), record.chunks.end());
  return chunks;
}

/// True: the object is in the store now. False: the bytes are nowhere.
Result<bool> bring_to_store(Core& core, const ChunkId& id, const ChunkRecord& record) {
  const std::string name = chunk_object_name(id, record.generation);
  ASSIGN_OR_RETURN(auto there, core.store.head(name));
  if (there && there->size == record.length_bytes) return true;
  Bytes bytes(record.length_bytes, '\0');
  auto cached = core.cache.read_chunk(id, std::span<char>(bytes.data(), bytes.size()));
  if (!cached || !*cached || chunk_id_of(bytes) != id) return false;
  TRY(core.store.put(name, {bytes, id.digest()}));
  return true;
}

Result<Fate> look(Core& core) {
  Fate fate;
  ASSIGN_OR_RETURN(std::vector<ChunkId> ids, meta::duties_of_this_node(core.volume));
  const std::set<ChunkId> known = chunks_in_journal(core.cache);
  std::erase_if(ids, [&](const ChunkId& id) { return known.contains(id); });
  ASSIGN_OR_RETURN(auto records, meta::chunk_records(core.volume, ids));
  for (size_t i = 0; i < ids.size(); ++i) {
    if (!records[i] || records[i]->state == ChunkState::kStored || records[i]->was_stored) continue;
    auto stored = bring_to_store(core, ids[i], *records[i]);
    if (!stored) {
      fate.unknown = true;
      core.report(fmt::format("chunk {} was not stored before the power failed, and cannot be looked for yet: {}",
                              ids[i].hex(), stored.error().what));
    } else if (*stored) {
      fate.stored.emplace_back(ids[i], records[i]->generation);
    } else {
      fate.lost.push_back(ids[i]);
    }
  }
  return fate;
}

Status make_empty(Core& core, InodeId id) {
  ASSIGN_OR_RETURN(Inode inode, meta::get_inode(core.volume, id));
  meta::Publish change;
  change.inode = id;
  change.base_generation = inode.generation;
  change.replaces = true;
  change.inline_bytes = Bytes();
  TRY(meta::publish(core.volume, {}, change));
  core.report(fmt::format(
      "inode {} is empty: its {} bytes were never synced before the power failed (find . -inum {} names the file)",
      id.value, inode.size, id.value));
  return {};
}

Status give_up(Core& core, const ChunkId& id) {
  ASSIGN_OR_RETURN(std::set<InodeId> owners, meta::current_owners_of(core.volume, id));
  for (InodeId owner : owners) TRY(make_empty(core, owner));
  Status dropped = meta::drop_duty(core.volume, id);
  if (!dropped && dropped.error().code != Code::kBusy) return dropped;
  return {};
}

}  // namespace

Status settle_power_loss(Core& core) {
  if (!core.cache.lost_power()) return {};
  ASSIGN_OR_RETURN(Fate fate, look(core));
  TRY(meta::mark_stored(core.volume, fate.stored));
  for (const ChunkId& id : fate.lost) TRY(give_up(core, id));
  TRY(core.volume.engine().barrier());
  return fate.unknown ? Status() : core.cache.end_recovery();
}

}  // namespace weir::vfs
