#include "vfs/told_attributes.h"

namespace weir::vfs {

void ToldAttributes::tell(KernelNode node, uint64_t generation, const Attributes& attributes) {
  told_.note(node.value, [&](Told& told) { take(told, generation, attributes); });
}

void ToldAttributes::changed(KernelNode node, uint64_t generation, const Attributes& attributes) {
  told_.note_again(node.value, [&](Told& told) { take(told, generation, attributes); });
}

void ToldAttributes::take(Told& told, uint64_t generation, const Attributes& attributes) const {
  if (generation >= told.generation) told = {generation, clock_.monotonic_ns(), attributes};
}

void ToldAttributes::forget(KernelNode node) { told_.forget(node.value); }

void ToldAttributes::gone(KernelNode node) {
  const bool is_noted = told_.note(node.value, [&](Told& told) { told = {kGone, clock_.monotonic_ns(), {}}; });
  // A full table has what was told before still.
  if (!is_noted) told_.forget(node.value);
}

std::optional<Attributes> ToldAttributes::of(KernelNode node) const {
  const std::optional<Told> told = told_.of(node.value);
  if (!told || told->generation == kGone || clock_.monotonic_ns() - told->at_ns > lifetime_ns_) return std::nullopt;
  return told->attributes;
}

}  // namespace weir::vfs
