#pragma once

#include <cstdint>
#include <vector>

#include "model/ids.h"

namespace weir::cache {

/// An image that may be evicted.
struct Candidate {
  ManifestId id;
  uint64_t disk_bytes = 0;
  int64_t last_used_ns = 0;
  uint8_t uses = 0;
};

/// Which images to evict, and which have lost the protection that their uses gave them.
struct Victims {
  std::vector<Candidate> evict;  // in this order
  std::vector<ManifestId> demote;
};

/// Segmented LRU (Karedla, Love, Wherry 1994): images used once go first, the one used longest ago in front; images
/// used twice are protected, as long as they are at most four fifths of all candidates' bytes. So one pass over any
/// amount of content cannot flush what is hot. Enough to free `bytes`, if there is that much. A pure function.
Victims choose_victims(std::vector<Candidate> candidates, uint64_t bytes);

}  // namespace weir::cache
