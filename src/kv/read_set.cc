#include "kv/read_set.h"

namespace weir::kv {

void ReadSet::saw(std::string_view key, Version version, Version seen_at) {
  auto place = seen_.lower_bound(key);
  if (place != seen_.end() && place->first == key) {
    if (place->second.version != version) contradictory_ = true;
    return;
  }
  seen_.emplace_hint(place, Bytes(key), Seen{version, seen_at, false});
}

void ReadSet::expect(std::string_view key, Version version) {
  auto place = seen_.lower_bound(key);
  if (place == seen_.end() || place->first != key)
    place = seen_.emplace_hint(place, Bytes(key), Seen{version, 0, false});
  if (place->second.version != version) contradictory_ = true;
  place->second.expected = true;
}

}  // namespace weir::kv
