#include "vfs/sights.h"

#include <algorithm>

#include "base/check.h"

namespace weir::vfs {

bool Sights::none() const {
  return std::all_of(sights_.begin(), sights_.end(), [](const Sight& sight) { return sight.modes.none(); });
}

bool Sights::is_known(uint16_t epoch) const {
  return std::any_of(sights_.begin(), sights_.end(), [&](const Sight& sight) { return sight.epoch == epoch; });
}

void Sights::adopt(uint16_t epoch) {
  CHECK(none());
  if (epoch == current()) return;
  auto known = std::find_if(sights_.begin(), sights_.end(), [&](const Sight& sight) { return sight.epoch == epoch; });
  if (known == sights_.end()) known = sights_.insert(sights_.end(), Sight{epoch, {}});
  std::iter_swap(sights_.begin(), known);
}

OpenModes& Sights::of(uint16_t epoch) {
  for (Sight& sight : sights_)
    if (sight.epoch == epoch) return sight.modes;
  return sights_.emplace_back(Sight{epoch, {}}).modes;
}

void Sights::restored(uint16_t epoch, OpenMode mode) {
  of(epoch).opened(mode);
  const auto latest = std::max_element(sights_.begin(), sights_.end(),
                                       [](const Sight& a, const Sight& b) { return a.epoch < b.epoch; });
  std::iter_swap(sights_.begin(), latest);
}

void Sights::move() {
  CHECK(can_move());
  const auto next = static_cast<uint16_t>(current() + 1);
  sights_.insert(sights_.begin(), Sight{next, {}});
}

std::vector<uint16_t> Sights::others(uint16_t epoch) const {
  std::vector<uint16_t> others;
  if (sights_.size() == 1) return others;
  for (const Sight& sight : sights_)
    if (sight.epoch != epoch) others.push_back(sight.epoch);
  return others;
}

std::vector<uint16_t> Sights::all() const {
  std::vector<uint16_t> all;
  for (const Sight& sight : sights_) all.push_back(sight.epoch);
  return all;
}

uint16_t Sights::latest() const {
  uint16_t latest = 0;
  for (const Sight& sight : sights_) latest = std::max(latest, sight.epoch);
  return latest;
}

void Sights::dropped(uint16_t epoch) {
  std::erase_if(sights_,
                [&](const Sight& sight) { return sight.epoch == epoch && epoch != current() && sight.modes.none(); });
}

}  // namespace weir::vfs
