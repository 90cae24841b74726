#include "daemon/check/objects.h"

#include <algorithm>
#include <charconv>
#include <set>

#include "base/limits.h"
#include "meta/content.h"
#include "meta/keys.h"
#include "meta/rows.h"
#include "model/chunk.h"

namespace weir {

namespace {

constexpr std::string_view kPrefix = "chunks/";

/// Names of the objects that the collector has yet to delete.
Result<std::set<std::string>> queued_objects(kv::Engine& engine) {
  std::set<std::string> names;
  kv::KeyRange range = meta::keys::queue_of(meta::keys::QueueClass::kObject);
  for (;;) {
    ASSIGN_OR_RETURN(auto rows, engine.begin()->scan(range, limits::kScanRows));
    for (const kv::KeyValue& row : rows) {
      ASSIGN_OR_RETURN(meta::QueueRow queued, meta::QueueRow::decode(row.bytes));
      for (const meta::ChunkGeneration& chunk : queued.chunks)
        names.insert(chunk_object_name(chunk.chunk, chunk.generation));
    }
    if (rows.size() < limits::kScanRows) return names;
    range = meta::keys::behind(range, rows.back().key);
  }
}

using Strangers = std::vector<std::pair<object::ListedObject, ObjectIdentity>>;

Result<std::vector<std::optional<ChunkRecord>>> records_of(meta::Volume& volume, const Strangers& strangers) {
  constexpr size_t kBatch = 1000;
  std::vector<std::optional<ChunkRecord>> records;
  for (size_t begin = 0; begin < strangers.size(); begin += kBatch) {
    std::vector<ChunkId> ids;
    for (size_t i = begin; i < std::min(begin + kBatch, strangers.size()); ++i) ids.push_back(strangers[i].second.id);
    ASSIGN_OR_RETURN(auto some, meta::chunk_records(volume, ids));
    records.insert(records.end(), some.begin(), some.end());
  }
  return records;
}

}  // namespace

void NamedChunks::sort() {
  std::sort(chunks_.begin(), chunks_.end(), [](const NamedChunk& a, const NamedChunk& b) { return a.id < b.id; });
  auto same = [](const NamedChunk& a, const NamedChunk& b) { return a.id == b.id; };
  chunks_.erase(std::unique(chunks_.begin(), chunks_.end(), same), chunks_.end());
}

NamedChunk* NamedChunks::find(const ChunkId& id) {
  auto found = std::lower_bound(chunks_.begin(), chunks_.end(), id,
                                [](const NamedChunk& a, const ChunkId& b) { return a.id < b; });
  return found != chunks_.end() && found->id == id ? &*found : nullptr;
}

std::optional<ObjectIdentity> parse_chunk_object_name(std::string_view name) {
  constexpr size_t kHexDigits = 64;
  size_t slash = name.rfind('/');
  if (slash == std::string_view::npos || name.size() < slash + 1 + kHexDigits + 2) return std::nullopt;
  auto id = ChunkId::from_hex(name.substr(slash + 1, kHexDigits));
  if (!id) return std::nullopt;
  std::string_view digits = name.substr(slash + 1 + kHexDigits + 1);
  uint64_t generation = 0;
  auto [end, failure] = std::from_chars(digits.data(), digits.data() + digits.size(), generation);
  if (failure != std::errc() || end != digits.data() + digits.size()) return std::nullopt;
  if (chunk_object_name(*id, generation) != name) return std::nullopt;
  return ObjectIdentity{*id, generation};
}

Status match_objects(object::ObjectStore& store, NamedChunks& chunks,
                     const std::function<void(const object::ListedObject&, const ObjectIdentity&)>& stranger,
                     const std::function<bool(uint64_t objects, uint64_t bytes)>& watch) {
  uint64_t objects = 0;
  uint64_t bytes = 0;
  std::string after;
  for (bool more = true; more;) {
    ASSIGN_OR_RETURN(object::ListPage page, store.list(kPrefix, after, limits::kListedObjects));
    for (const object::ListedObject& object : page.objects) {
      ++objects;
      bytes += object.info.size;
      auto identity = parse_chunk_object_name(object.name);
      if (!identity) continue;
      NamedChunk* chunk = chunks.find(identity->id);
      if (chunk != nullptr && chunk->record.generation == identity->generation)
        chunk->object_bytes = object.info.size;
      else
        stranger(object, *identity);
    }
    if (!watch(objects, bytes)) return error(Code::kInterrupted, "the check was stopped");
    more = page.more;
    if (more && page.objects.empty())
      return error(Code::kIo, "{} lists nothing and says there is more", store.describe());
    if (more) after = page.objects.back().name;
  }
  return {};
}

Result<std::vector<object::ListedObject>> unknown_objects(
    meta::Volume& volume, const std::vector<std::pair<object::ListedObject, ObjectIdentity>>& strangers) {
  std::vector<object::ListedObject> unknown;
  if (strangers.empty()) return unknown;
  // The queue is read first: what leaves a `C` row for it meanwhile is found in one of the two when read in the order
  // queue, row, queue.
  ASSIGN_OR_RETURN(std::set<std::string> queued, queued_objects(volume.engine()));
  ASSIGN_OR_RETURN(auto records, records_of(volume, strangers));
  ASSIGN_OR_RETURN(std::set<std::string> queued_later, queued_objects(volume.engine()));
  queued.merge(queued_later);
  for (size_t i = 0; i < strangers.size(); ++i) {
    const auto& [object, identity] = strangers[i];
    bool known = records[i] && records[i]->generation == identity.generation;
    if (!known && !queued.contains(object.name)) unknown.push_back(object);
  }
  return unknown;
}

}  // namespace weir
