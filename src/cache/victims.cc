#include "cache/victims.h"

#include <algorithm>

namespace weir::cache {

Victims choose_victims(std::vector<Candidate> candidates, uint64_t bytes) {
  uint64_t total = 0;
  for (const Candidate& candidate : candidates) total += candidate.disk_bytes;
  auto used_before = [](const Candidate& a, const Candidate& b) { return a.last_used_ns < b.last_used_ns; };
  auto protected_begin = std::stable_partition(candidates.begin(), candidates.end(),
                                               [](const Candidate& candidate) { return candidate.uses < 2; });
  std::sort(protected_begin, candidates.end(), used_before);

  Victims victims;
  uint64_t protected_bytes = 0;
  for (auto candidate = protected_begin; candidate != candidates.end(); ++candidate)
    protected_bytes += candidate->disk_bytes;
  const uint64_t protected_max = total - total / 5;
  while (protected_begin != candidates.end() && protected_bytes > protected_max) {
    protected_bytes -= protected_begin->disk_bytes;
    victims.demote.push_back(protected_begin->id);
    ++protected_begin;
  }
  std::sort(candidates.begin(), protected_begin, used_before);

  uint64_t freed = 0;
  for (const Candidate& candidate : candidates) {
    if (freed >= bytes) break;
    freed += candidate.disk_bytes;
    victims.evict.push_back(candidate);
  }
  return victims;
}

}  // namespace weir::cache
