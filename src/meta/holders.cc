#include "meta/holders.h"

#include "base/network_limits.h"
#include "meta/keys.h"

namespace weir::meta {

Result<ChunkPlaces> chunk_places(Volume& volume, const ChunkId& id) {
  auto transaction = volume.engine().begin();
  ChunkPlaces places;
  ASSIGN_OR_RETURN(auto value, transaction->get(keys::chunk(id)));
  if (!value) return places;
  ASSIGN_OR_RETURN(places.record, ChunkRecord::decode(value->bytes));
  if (is_stored(*places.record)) return places;
  ASSIGN_OR_RETURN(auto rows, transaction->scan(keys::duties_of(id), limits::kHoldersAsked));
  for (const kv::KeyValue& row : rows) {
    ASSIGN_OR_RETURN(keys::DutyKey key, keys::parse_duty(row.key));
    places.holders.push_back(key.node);
  }
  return places;
}

}  // namespace weir::meta
